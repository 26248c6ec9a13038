"""Whether a model sorts prompts by kind, in a sentence: kernel_kinds and kernel_summary → findings. Pure."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from internal_physics.families.finding import Finding, Held, PValues, number, p_at_most
from internal_physics.families.kernel.tables import KERNEL_KINDS, KERNEL_SUMMARY
from internal_physics.families.run.precision import with_precision
from internal_physics.families.run.tables import MODELS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural

FIGURE = "kernel_heatmap"
CLAIM = "a model sorts prompts by kind"


class _Shown(NamedTuple):
    """The rows of one kernel: its alignment with the kinds over all weights (cosine), and its summary."""

    kinds: pd.Series
    summary: pd.Series


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """One claim at most: that the kernel with most prompts, in the baseline, follows the kinds of prompts."""
    shown = _shown(tables)
    return {} if shown is None else {CLAIM: float(shown.kinds["p"])}


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """At most one: the mean cosine of two prompts of one kind and of different kinds, in that kernel.

    Args:
        tables: with `kernel_kinds`, `kernel_summary` and `models`.
        held: the claim, if chance does not explain it.
    """
    shown = _shown(tables)
    if shown is None or CLAIM not in held:
        return []
    kinds, summary = shown
    within, between = float(summary["cosine_within"]), float(summary["cosine_between"])
    if within <= between:
        return []
    n = int(kinds["n_prompts"])
    name = with_precision(tables[MODELS.name])(kinds["model"])
    sentence = (
        f"Prompts of one kind pull {name} in more similar directions than prompts of different kinds: mean cosine of "
        f"their gradients {number(within, '.2f')} against {number(between, '.2f')} "
        f"({plural(int(kinds['n_kinds']), 'kind')}, {plural(n, 'prompt')}; permutation of the kinds, "
        f"{p_at_most(held[CLAIM])})."
    )
    figure = f"{FIGURE}-{kinds['model']}"
    return [Finding(sentence, within, math.nan, math.nan, n, figure, KERNEL_SUMMARY.name, float(held[CLAIM]))]


def _shown(tables: Mapping[str, pd.DataFrame]) -> _Shown | None:
    """The kernel over most prompts with kinds; of equals the first. None where no kernel has two prompts of one kind
    and prompts of two kinds.
    """
    kinds = tables[KERNEL_KINDS.name]
    whole = kinds["layer"].isna() & (kinds["normalisation"] == "cosine") & (kinds["condition"] == BASELINE)
    kinds = kinds[whole & kinds["p"].notna()]
    if kinds.empty:
        return None
    chosen = kinds.loc[kinds["n_prompts"].idxmax()]
    summary = tables[KERNEL_SUMMARY.name]
    is_same = (summary[["model", "condition", "source"]] == chosen[["model", "condition", "source"]]).all(axis=1)
    is_usable = is_same & (summary["kinds_status"] == OK)
    return _Shown(chosen, summary[is_usable].iloc[0]) if is_usable.any() else None
