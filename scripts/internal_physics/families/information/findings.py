"""Where answers are decided, in sentences: tables decided and decided_means → findings. Pure."""

from collections.abc import Mapping

import pandas as pd

from internal_physics.families.finding import Finding
from internal_physics.families.information.followed_names import ANSWER
from internal_physics.families.information.tables import ALL_KINDS
from internal_physics.ground.names import BASELINE


def findings(tables: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """Findings on the first model: one for the prompt set with the most answers; none where no prompt has an answer.

    Args:
        tables: with `decided` and `decided_means`.
    """
    decided = tables["decided"]
    answered = decided[(decided["followed"] == ANSWER) & (decided["condition"] == BASELINE)]
    if answered.empty:
        return []
    model = decided["model"].iloc[0]
    sizes = answered.loc[answered["model"] == model, "prompt_set"].value_counts(sort=False)
    if sizes.empty:
        return []
    found = decided_finding(answered, tables["decided_means"], model, str(sizes.idxmax()))
    return [found] if found else []


def decided_finding(decided: pd.DataFrame, means: pd.DataFrame, model: str, prompt_set: str) -> Finding | None:
    """How many answers a model gives and where those are decided, in the baseline; None where no mean exists.

    Args:
        decided: table `decided`.
        means: table `decided_means`.
        model: whose answers.
        prompt_set: on which prompts.
    """
    share, settled = (_mean(means, model, prompt_set, name) for name in ("correct", "settled_layer"))
    if share is None or share["n_prompts"] == 0:
        return None
    n, n_right = int(share["n_prompts"]), round(share["mean"] * share["n_prompts"])
    start = f"{model} puts the answer on top for {n_right} of {n} prompts of {prompt_set} ({_percent(share)})"
    if settled is None or settled["n_prompts"] == 0:
        return Finding(f"{start}.", *_numbers(share), n, f"decided-{prompt_set}", "decided_means")
    depth = _n_layers(decided[(decided["model"] == model) & (decided["prompt_set"] == prompt_set)])
    of_depth = f" of {depth}" if depth else ""
    interval = f" ({settled['ci_low']:.1f} to {settled['ci_high']:.1f})" if settled["n_prompts"] > 1 else ""
    sentence = f"{start}; those are decided at residual {settled['mean']:.1f}{of_depth} on average{interval}."
    return Finding(sentence, *_numbers(settled), int(settled["n_prompts"]), f"decided-{prompt_set}", "decided_means")


def _mean(means: pd.DataFrame, model: str, prompt_set: str, quantity: str) -> pd.Series | None:
    rows = means[
        (means["model"] == model)
        & (means["condition"] == BASELINE)
        & (means["prompt_set"] == prompt_set)
        & (means["kind"] == ALL_KINDS)
        & (means["followed"] == ANSWER)
        & (means["quantity"] == quantity)
    ]
    return rows.iloc[0] if len(rows) else None


def _n_layers(decided: pd.DataFrame) -> int | None:
    """L, from a settled layer and its depth; None where no prompt settled after the embedding."""
    rows = decided[decided["settled_depth"] > 0]
    return round(float(rows["settled_layer"].iloc[0]) / float(rows["settled_depth"].iloc[0])) if len(rows) else None


def _percent(share: pd.Series) -> str:
    interval = f", {share['ci_low']:.0%} to {share['ci_high']:.0%}" if share["n_prompts"] > 1 else ""
    return f"{share['mean']:.0%}{interval}".replace("%", " %")


def _numbers(row: pd.Series) -> tuple[float, float, float]:
    return float(row["mean"]), float(row["ci_low"]), float(row["ci_high"])
