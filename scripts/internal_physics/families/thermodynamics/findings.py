"""What prompts pull at and which flags chance does not explain, in sentences: pulls_means, phase_counts. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from internal_physics.families.finding import Finding, Held, PValues
from internal_physics.families.thermodynamics.tables import GRADIENT_SHARE, PHASE_COUNTS, PULLS_MEANS, TOP
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural

LEADER = "leader"  # the claim that one weight leads
_MEANS = {
    "latent_heat_jump": "a jump of energy at constant temperature",
    "negative_specific_heat": "less energy where the temperature rises",
    "susceptibility_divergence": "an outlying response of the gradient to temperature",
    "high_compressibility": "an outlying response of entropy to free energy",
}


class Leader(NamedTuple):
    """The weight inside the blocks that leads on the most prompt sets, on the largest of these sets.

    Attributes:
        row: of table `pulls_means`.
        n_led: prompt sets on which it leads.
        n_sets: of so many.
        n_weights: that are ranked on the set of the row.
    """

    row: pd.Series
    n_led: int
    n_sets: int
    n_weights: int


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """The weight that leads, and each flag on the largest prompt set, with the chance of it under their null models."""
    found: PValues = {}
    if leader := leading_weight(tables[PULLS_MEANS.name]):
        found[LEADER] = _chance_of_leading(leader)
    for flag, counts in _flags(tables[PHASE_COUNTS.name]).items():
        found[flag] = float(stats.combine_pvalues(counts["p_value"], method="fisher").pvalue)
    return found


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """The weight that the loss of the first model pulls at most, and the flag that is furthest from chance.

    Args:
        tables: with `pulls_means` and `phase_counts`.
        held: those of `p_values` that chance does not explain.
    """
    found = []
    leader = leading_weight(tables[PULLS_MEANS.name])
    if leader and LEADER in held:
        found.append(pulls_finding(leader, held[LEADER]))
    flags = {flag: counts for flag, counts in _flags(tables[PHASE_COUNTS.name]).items() if flag in held}
    if flags:
        flag = min(flags, key=lambda name: held[name])
        found.append(flag_finding(flag, flags[flag], held[flag]))
    return found


def leading_weight(pulls_means: pd.DataFrame) -> Leader | None:
    """The leader of the first model in the baseline, by share of the squared gradient; None without shares."""
    means = pulls_means
    rows = means[(means["measure"] == GRADIENT_SHARE) & (means["condition"] == BASELINE)]
    rows = rows[np.isfinite(rows["mean"])]
    if rows.empty:
        return None
    shares = rows[rows["model"] == rows["model"].iloc[0]]
    inside = shares[shares["layer"] >= 0]
    inside = inside if len(inside) else shares
    leaders = inside.loc[inside.groupby("prompt_set", sort=False)["mean"].idxmax()]
    led = leaders[leaders["parameter"] == leaders["parameter"].value_counts(sort=False).idxmax()]
    row = led.loc[led["n_prompts"].idxmax()]
    return Leader(row, len(led), len(leaders), int((shares["prompt_set"] == row["prompt_set"]).sum()))


def pulls_finding(leader: Leader, p_adjusted: float) -> Finding:
    """Share of the leader, what an even share would be, and on how many prompts it is among the first TOP."""
    row, n_weights = leader.row, leader.n_weights
    interval = f" ({row['ci_low']:.1%} to {row['ci_high']:.1%})" if np.isfinite(row["ci_low"]) else ""
    share = f"{row['mean']:.1%}{interval}".replace("%", " %")
    even = f"{1 / n_weights:.1%}".replace("%", " %")
    n = int(row["n_prompts"])
    sentence = (
        f"Inside the blocks of {row['model']}, the loss pulls most at {row['parameter']}: on {plural(n, 'prompt')} of "
        f"{row['prompt_set']}, this one of {n_weights} weights has {share} of the squared gradient (an even share is "
        f"{even}), and it is among the first {TOP} on {row['n_in_top']} of {n}; it leads on {leader.n_led} of "
        f"{plural(leader.n_sets, 'prompt set')}."
    )
    numbers = (float(row["mean"]), float(row["ci_low"]), float(row["ci_high"]), n)
    return Finding(sentence, *numbers, f"pulls-{row['prompt_set']}", PULLS_MEANS.name, p_adjusted)


def flag_finding(flag: str, counts: pd.DataFrame, p_adjusted: float) -> Finding:
    """How many weights carry a flag, how many would with shuffled layers, and the kind that is furthest from that.

    Args:
        flag: its name.
        counts: rows of table `phase_counts` of one model, condition, prompt set and flag, one for each kind.
        p_adjusted: of the claim.
    """
    observed, expected, n_weights = (counts[name].sum() for name in ("observed", "expected", "n_layers"))
    first = counts.iloc[0]
    most = counts.loc[counts["p_value"] == counts["p_value"].min()]
    most = most.loc[(most["observed"] - most["expected"]).abs().idxmax()]
    sentence = (
        f"In {first['model']}, {observed:.0f} of {n_weights} weights are flagged as {flag.replace('_', ' ')} "
        f"({_MEANS.get(flag, 'a flag')}), a mean over {plural(int(first['n_prompts']), 'prompt')} of "
        f"{first['prompt_set']}; with the layers in random order it would be {expected:.0f}. It stands out most in "
        f"{most['kind']}: {most['observed']:.1f} against {most['expected']:.1f} of {most['n_layers']} "
        f"(adjusted p {p_adjusted:.1g})."
    )
    figure = f"phase_map-{first['prompt_set']}"
    return Finding(
        sentence, float(observed), np.nan, np.nan, int(first["n_prompts"]), figure, PHASE_COUNTS.name, p_adjusted
    )


def _chance_of_leading(leader: Leader) -> float:
    """Chance that any weight is so often among a prompt's first TOP where no prompt prefers any; Bonferroni's bound."""
    n, n_in_top = int(leader.row["n_prompts"]), int(leader.row["n_in_top"])
    chance = float(stats.binom.sf(n_in_top - 1, n, min(1.0, TOP / leader.n_weights)))
    return min(1.0, chance * leader.n_weights * leader.n_sets)


def _flags(phase_counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Flag -> its rows with a p-value, of the first model in the baseline on the set with the most prompts."""
    rows = phase_counts[(phase_counts["condition"] == BASELINE) & np.isfinite(phase_counts["p_value"])]
    if rows.empty:
        return {}
    rows = rows[rows["model"] == rows["model"].iloc[0]]
    rows = rows[rows["prompt_set"] == rows.loc[rows["n_prompts"].idxmax(), "prompt_set"]]
    return {str(flag): counts for flag, counts in rows.groupby("phase", sort=False)}
