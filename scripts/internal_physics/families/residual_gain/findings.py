"""Which hypotheses on residual gain hold, and for which norm, in sentences: table hypotheses → findings. Pure."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from internal_physics.families.finding import Finding, Held, PValues, number, p_at_most
from internal_physics.families.residual_gain.sentences import VARIANT_NAMES
from internal_physics.families.residual_gain.tables import HYPOTHESES
from internal_physics.families.residual_gain.verdicts import ALL_SETS, ENTROPY_GAIN, INVERSE, NESTED_GRAMMAR, SUPPORTED
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural

_STATISTIC = {ENTROPY_GAIN: "pearson_r", NESTED_GRAMMAR: "ratio_of_means"}


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """(hypothesis, variant) -> p, for the first model and the prompts of all sets."""
    return {_claim(row): float(row.p) for row in judged(tables[HYPOTHESES.name]).itertuples()}


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """At most one sentence for each hypothesis: the variants for which it is supported, inverse and open.

    A hypothesis that is open for all variants has none.

    Args:
        tables: with `hypotheses`.
        held: those of `p_values` that chance does not explain.
    """
    rows = judged(tables[HYPOTHESES.name])
    makers = {ENTROPY_GAIN: entropy_gain_finding, NESTED_GRAMMAR: nested_grammar_finding}
    found = [make(rows[rows["hypothesis"] == hypothesis], held) for hypothesis, make in makers.items()]
    return [finding for finding in found if finding]


def judged(hypotheses: pd.DataFrame) -> pd.DataFrame:
    """The rows that the sentences are about: of the first model, in the baseline, over the prompts of all sets."""
    rows = hypotheses[(hypotheses["condition"] == BASELINE) & (hypotheses["prompt_set"] == ALL_SETS)]
    rows = rows[(rows["model"] == rows["model"].iloc[:1].squeeze()) & rows["p"].notna()]
    return rows[rows["statistic"] == rows["hypothesis"].map(_STATISTIC)]


def entropy_gain_finding(rows: pd.DataFrame, held: Held) -> Finding | None:
    """Does the last block expand the stream more where the model is less certain of the next token?

    Args:
        rows: of `judged`, one for each variant of the norm.
        held: see `findings`.
    """
    told = rows[_holds(rows, held) & rows["verdict"].isin([SUPPORTED, INVERSE])]
    if told.empty:
        return None
    first = told.loc[told["value"].abs().idxmax()]
    p = max(held[_claim(row)] for row in told.itertuples())
    conjecture = (
        f"In {first['model']}, the less certain the next token, the more the last block "
        f"{'expands' if first['verdict'] == SUPPORTED else 'shrinks'} the residual stream"
    )
    sentence = (
        f"{conjecture}: correlation of entropy and gain over {plural(int(first['n']), 'prompt')} "
        f"{_variants(told, rows, 'r')}; {p_at_most(p)}."
    )
    return _finding(sentence, first, p)


def nested_grammar_finding(rows: pd.DataFrame, held: Held) -> Finding | None:
    """Is a nested sentence, hard for people, as easy for the model as a fact? Told where its gain is larger.

    Args:
        rows: of `judged`, one for each variant of the norm.
        held: see `findings`.
    """
    told = rows[_holds(rows, held) & (rows["verdict"] == INVERSE) & (rows["value"] > 1)]
    if told.empty:
        return None
    first = told.loc[(told["value"] - 1).abs().idxmax()]
    p = max(held[_claim(row)] for row in told.itertuples())
    sizes = f"{first['n_x']} {first['x']} and {first['n_y']} {first['y']} prompts"
    sentence = (
        f"In {first['model']}, nested sentences are not as easy as facts: the last block's gain on {sizes} has the "
        f"ratio {_variants(told, rows, '')}; {p_at_most(p)}."
    )
    return _finding(sentence, first, p)


def _variants(told: pd.DataFrame, rows: pd.DataFrame, symbol: str) -> str:
    """'r = 0.44 [0.23, 0.60] (last position: supported); open for the whole stream: r = −0.04 [−0.29, 0.13]'."""
    parts = [f"{_number(row, symbol)} ({VARIANT_NAMES[row.variant]}: {row.verdict})" for row in told.itertuples()]
    others = rows.drop(told.index)
    parts += [f"{_number(row, symbol)} ({VARIANT_NAMES[row.variant]}: {_open(row)})" for row in others.itertuples()]
    return ", ".join(parts)


def _open(row: Any) -> str:
    """What is said of a variant that is not claimed: similar kinds are shown by their interval, not by this p."""
    return row.verdict if row.hypothesis == NESTED_GRAMMAR and row.verdict == SUPPORTED else "open"


def _number(row: Any, symbol: str) -> str:
    start = f"{symbol} = " if symbol else ""
    value, low, high = (number(x, ".2f") for x in (row.value, row.ci_low, row.ci_high))
    return f"{start}{value} [{low}, {high}]"


def _finding(sentence: str, row: pd.Series, p_adjusted: float) -> Finding:
    numbers = (float(row["value"]), float(row["ci_low"]), float(row["ci_high"]), int(row["n"]))
    return Finding(sentence, *numbers, f"gain_panels-{row['model']}", HYPOTHESES.name, p_adjusted)


def _holds(rows: pd.DataFrame, held: Held) -> pd.Series:
    return pd.Series([_claim(row) in held for row in rows.itertuples()], index=rows.index, dtype=bool)


def _claim(row: Any) -> Hashable:
    return row.hypothesis, row.variant
