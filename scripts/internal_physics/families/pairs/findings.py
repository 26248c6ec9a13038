"""Which models differ from the reference, in sentences: table model_pairs → findings. Pure."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.families.finding import Finding
from internal_physics.families.pairs.apart import significance_of
from internal_physics.families.pairs.tables import ALL_SETS, LOSS, MODEL_PAIRS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural
from internal_physics.statistics.options import CONFIDENCE_LEVEL

MOST = 3  # sentences
_WHOLE = 10  # percent, from which no decimals are shown
FIGURE = "model_differences"


def findings(tables: Mapping[str, pd.DataFrame], confidence_level: float = CONFIDENCE_LEVEL) -> list[Finding]:
    """One sentence for each model that is told apart from its reference, those with the most such scores first.

    Each model is judged on the prompts of all sets together, or on the one set that it shares with the reference.
    Where no model is told apart there is no sentence: of runs in which no two models differ, 5 % have any.

    Args:
        tables: with `model_pairs`; without it, or with an empty one, there are no findings.
        confidence_level: of the intervals; 1 minus it is the largest adjusted p that counts.
    """
    table = tables.get(MODEL_PAIRS.name)
    if table is None or table.empty:
        return []
    rows = table[(table["condition"] == BASELINE) & ~table["reference"].isin(set(table["model"]))]
    found = []
    for (model, reference), of_pair in rows.groupby(["model", "reference"], sort=False):
        sets = list(of_pair["prompt_set"].unique())
        shown = of_pair[of_pair["prompt_set"] == (ALL_SETS if ALL_SETS in sets else sets[0])]
        apart = shown[shown["p_adjusted"] < significance_of(confidence_level)]
        if len(apart):
            found.append((len(apart), pair_finding(apart, model, reference)))
    return [finding for _, finding in sorted(found, key=lambda pair: -pair[0])[:MOST]]


def pair_finding(apart: pd.DataFrame, model: str, reference: str) -> Finding:
    """The sentence on one pair.

    Args:
        apart: its rows of table `model_pairs` that are told apart, on one prompt set; at least one.
        model: as in the rows.
        reference: likewise.
    """
    ordered = sorted(apart.itertuples(), key=lambda row: (row.p_adjusted, row.metric != LOSS.name))
    first = ordered[0]
    where = "" if first.prompt_set == ALL_SETS else f" of {first.prompt_set}"
    ratio = (first.ratio, first.ratio_ci_low, first.ratio_ci_high)
    value, low, high = ratio if math.isfinite(first.ratio) else (first.difference, first.ci_low, first.ci_high)
    return Finding(
        f"On the same {plural(first.n_prompts, 'prompt')}{where}, {model} differs from {reference}: "
        f"{', '.join(map(_change, ordered))}; adjusted p at most {apart['p_adjusted'].max():.2g}.",
        value=float(value),
        ci_low=float(low),
        ci_high=float(high),
        n=int(first.n_prompts),
        figure=FIGURE,
        table=MODEL_PAIRS.name,
    )


def _change(row: Any) -> str:
    """'loss +2.9 % (+1.6 % to +4.4 %)', or in the score's own unit where it has no ratio."""
    name = row.metric if row.metric == LOSS.name else row.metric.upper()
    if not math.isfinite(row.ratio):
        return f"{name} {row.difference:+.2g} ({row.ci_low:+.2g} to {row.ci_high:+.2g})"
    value, low, high = (_percent(ratio) for ratio in (row.ratio, row.ratio_ci_low, row.ratio_ci_high))
    return f"{name} {value} ({low} to {high})"


def _percent(ratio: float) -> str:
    """The change that a ratio is, signed, with two significant digits: '+2.9 %'."""
    percent = 100 * (ratio - 1)
    return f"{percent:+.0f} %" if abs(percent) >= _WHOLE else f"{percent:+.2g} %"
