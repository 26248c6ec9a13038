"""What prompts pull at, in a sentence: table pulls_means → findings. Pure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from internal_physics.families.finding import Finding
from internal_physics.families.thermodynamics.tables import GRADIENT_SHARE, TOP
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """The weight that the loss of the first model pulls at most, by share of the squared gradient; none without shares.

    Args:
        tables: with `pulls_means`.
    """
    means = tables["pulls_means"]
    rows = means[(means["measure"] == GRADIENT_SHARE) & (means["condition"] == BASELINE)]
    rows = rows[np.isfinite(rows["mean"])]
    if rows.empty:
        return []
    return [pulls_finding(rows[rows["model"] == rows["model"].iloc[0]])]


def pulls_finding(shares: pd.DataFrame) -> Finding:
    """The weight inside the blocks that leads on the most prompt sets, with its share on the largest of these sets.

    The sentence also says what an even share would be, and how many prompts have the weight among their first TOP.

    Args:
        shares: rows of table `pulls_means` of one model and condition with finite gradient shares, at least one.
    """
    inside = shares[shares["layer"] >= 0]
    inside = inside if len(inside) else shares
    leaders = inside.loc[inside.groupby("prompt_set", sort=False)["mean"].idxmax()]
    parameter = leaders["parameter"].value_counts(sort=False).idxmax()
    led = leaders[leaders["parameter"] == parameter]
    row = led.loc[led["n_prompts"].idxmax()]
    n_sets, n_weights = len(leaders), int((shares["prompt_set"] == row["prompt_set"]).sum())
    interval = f" ({row['ci_low']:.1%} to {row['ci_high']:.1%})" if np.isfinite(row["ci_low"]) else ""
    share = f"{row['mean']:.1%}{interval}".replace("%", " %")
    even = f"{1 / n_weights:.1%}".replace("%", " %")
    sentence = (
        f"Of all maps in the blocks of {row['model']}, the loss pulls most at {parameter} on {len(led)} of "
        f"{plural(n_sets, 'prompt set')}: on {row['prompt_set']} it has {share} of the squared gradient of all "
        f"{n_weights} weights (an even share is {even}), and is among the first {TOP} of {row['n_in_top']} of "
        f"{plural(int(row['n_prompts']), 'prompt')}."
    )
    numbers = (float(row["mean"]), float(row["ci_low"]), float(row["ci_high"]))
    return Finding(sentence, *numbers, int(row["n_prompts"]), f"pulls-{row['prompt_set']}", "pulls_means")
