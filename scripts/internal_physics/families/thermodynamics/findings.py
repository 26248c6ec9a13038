"""What prompts pull at and which flags chance does not explain, in sentences: pulls_means, phase_counts. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import bdtrc

from internal_physics.families.finding import Finding, Held, PValues, p_at_most
from internal_physics.families.thermodynamics.flags import ALL_KINDS
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
        found[flag] = float(_total(counts)["p_value"])
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
        f"Inside the blocks of {row['model']}, the gradient is largest at {row['parameter']}: on "
        f"{plural(n, 'prompt')} of {row['prompt_set']}, this one of {n_weights} weights has {share} of the squared "
        f"gradient (an even share is {even}), and it is among the first {TOP} on {row['n_in_top']} of {n}; "
        f"it leads on {leader.n_led} of {plural(leader.n_sets, 'prompt set')}."
    )
    numbers = (float(row["mean"]), float(row["ci_low"]), float(row["ci_high"]), n)
    return Finding(sentence, *numbers, f"pulls-{row['prompt_set']}", PULLS_MEANS.name, p_adjusted)


def flag_finding(flag: str, counts: pd.DataFrame, p_adjusted: float) -> Finding:
    """How many weights carry a flag, how many would with shuffled layers, and the kind that is furthest from that.

    Args:
        flag: its name.
        counts: rows of table `phase_counts` of one model, condition, prompt set and flag, one for each kind of map and,
            where there are several kinds, one for all of them.
        p_adjusted: of the claim.
    """
    total, kinds = _total(counts), counts[counts["kind"] != ALL_KINDS]
    n, name = int(total["n_prompts"]), flag.replace("_", " ")
    sentence = (
        f"In {total['model']}, {total['observed']:.0f} of {total['n_layers']} weights are flagged as {name} "
        f"({_MEANS.get(flag, 'a flag')}), a mean over {plural(n, 'prompt')} of {total['prompt_set']}; with the layers "
        f"in random order it would be {total['expected']:.0f} ({p_at_most(p_adjusted)}){_most(kinds, total)}."
    )
    numbers = (float(total["observed"]), np.nan, np.nan, n)
    return Finding(sentence, *numbers, f"phase_map-{total['prompt_set']}", PHASE_COUNTS.name, p_adjusted)


def _most(kinds: pd.DataFrame, total: pd.Series) -> str:
    """', most of all in value: 8.7 of 28, in random order 2.3'; nothing for a single kind."""
    if len(kinds) < 2:
        return ""
    sign = np.sign(total["observed"] - total["expected"])
    row = kinds.loc[(sign * (kinds["observed"] - kinds["expected"])).idxmax()]
    numbers = f"{row['observed']:.1f} of {row['n_layers']}, in random order {row['expected']:.1f}"
    return f", most of all in {row['kind']}: {numbers}"


def _total(counts: pd.DataFrame) -> pd.Series:
    """The row of all kinds together; with a single kind, its own."""
    return counts[counts["kind"] == ALL_KINDS].iloc[0] if len(counts) > 1 else counts.iloc[0]


def _chance_of_leading(leader: Leader) -> float:
    """Chance that any weight is so often among a prompt's first TOP where no prompt prefers any; Bonferroni's bound."""
    n, n_in_top = int(leader.row["n_prompts"]), int(leader.row["n_in_top"])
    chance = float(bdtrc(n_in_top - 1, n, min(1.0, TOP / leader.n_weights)))  # of n_in_top or more
    return min(1.0, chance * leader.n_weights * leader.n_sets)


def _flags(phase_counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Flag -> its rows with a p-value, of the first model in the baseline on the set with the most prompts."""
    rows = phase_counts[(phase_counts["condition"] == BASELINE) & np.isfinite(phase_counts["p_value"])]
    if rows.empty:
        return {}
    rows = rows[rows["model"] == rows["model"].iloc[0]]
    rows = rows[rows["prompt_set"] == rows.loc[rows["n_prompts"].idxmax(), "prompt_set"]]
    return {str(flag): counts for flag, counts in rows.groupby("phase", sort=False)}
