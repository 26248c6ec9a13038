"""Which models differ from the reference, in sentences: tables model_pairs and models → findings. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.families.finding import Finding, Held, PValues, number, p_at_most
from internal_physics.families.pairs.tables import ALL_SETS, LOSS, MODEL_PAIRS
from internal_physics.families.run.precision import with_precision
from internal_physics.families.run.tables import MODELS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural

MOST = 3  # sentences
_WHOLE = 10  # percent, from which no decimals are shown
FIGURE = "model_differences"
_PLAIN = {
    "loss": "loss",
    "ec": "change of the gradient from block to block (EC)",
    "isc": "size of the gradient per nat of loss (ISC)",
    "isg": "unevenness of that change over the blocks (ISG)",
    "isa": "unevenness of the gradient's turning (ISA)",
}


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """(model, score) -> p of "it does not differ from the reference's", for each score that a sentence may name."""
    rows = judged(tables[MODEL_PAIRS.name])
    return {(row.model, row.metric): float(row.p) for row in rows.itertuples()}


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """One sentence for each model that differs from its reference, those with the most such scores first.

    Args:
        tables: with `model_pairs` and `models`.
        held: the scores of `p_values` whose difference chance does not explain.
    """
    rows = judged(tables[MODEL_PAIRS.name])
    names = with_precision(tables[MODELS.name])
    found = []
    for (model, reference), of_pair in rows.groupby(["model", "reference"], sort=False):
        apart = of_pair[[(model, metric) in held for metric in of_pair["metric"]]]
        if len(apart):
            p = max(held[model, metric] for metric in apart["metric"])
            found.append((len(apart), pair_finding(apart, names(str(model)), names(str(reference)), p)))
    return [finding for _, finding in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def judged(model_pairs: pd.DataFrame) -> pd.DataFrame:
    """The rows that the sentences are about: each model against the reference, in the baseline.

    They are those of all prompt sets together, or of the one set that the two share.
    """
    table = model_pairs
    rows = table[(table["condition"] == BASELINE) & ~table["reference"].isin(set(table["model"]))]
    pooled = rows["prompt_set"] == ALL_SETS
    has_pooled = pooled.groupby([rows["model"], rows["reference"]]).transform("any")
    first = rows.groupby(["model", "reference"])["prompt_set"].transform("first")
    return rows[pooled | (~has_pooled & (rows["prompt_set"] == first))]


def pair_finding(apart: pd.DataFrame, model: str, reference: str, p_adjusted: float) -> Finding:
    """The sentence on one pair.

    Args:
        apart: its rows of table `model_pairs` that differ beyond chance, on one prompt set; at least one.
        model: as a reader should see it.
        reference: likewise.
        p_adjusted: the largest of these rows.
    """
    ordered = sorted(apart.itertuples(), key=lambda row: (row.p, row.metric != LOSS.name))
    first = ordered[0]
    where = "" if first.prompt_set == ALL_SETS else f" of {first.prompt_set}"
    ratio = (first.ratio, first.ratio_ci_low, first.ratio_ci_high)
    value, low, high = ratio if math.isfinite(first.ratio) else (first.difference, first.ci_low, first.ci_high)
    return Finding(
        f"On the same {plural(first.n_prompts, 'prompt')}{where}, {model} differs from {reference}: "
        f"{', '.join(map(_change, ordered))}; {p_at_most(p_adjusted)}.",
        value=float(value),
        ci_low=float(low),
        ci_high=float(high),
        n=int(first.n_prompts),
        figure=FIGURE,
        table=MODEL_PAIRS.name,
        p_adjusted=p_adjusted,
    )


def _change(row: Any) -> str:
    """'loss +2.9 % (+1.6 % to +4.4 %)', or in the score's own unit where it has no ratio."""
    name = _PLAIN.get(row.metric, row.metric.upper())
    if not math.isfinite(row.ratio):
        return (
            f"{name} {number(row.difference, '+.2g')} ({number(row.ci_low, '+.2g')} to {number(row.ci_high, '+.2g')})"
        )
    value, low, high = (_percent(ratio) for ratio in (row.ratio, row.ratio_ci_low, row.ratio_ci_high))
    return f"{name} {value} ({low} to {high})"


def _percent(ratio: float) -> str:
    """The change that a ratio is, signed, with two significant digits: '+2.9 %'."""
    percent = 100 * (ratio - 1)
    return f"{number(percent, '+.0f' if abs(percent) >= _WHOLE else '+.2g')} %"
