"""Where answers are decided, in sentences: tables decided and decided_means → findings. Pure."""

from collections.abc import Mapping

import pandas as pd

from internal_physics.families.finding import Finding, Held, PValues
from internal_physics.families.information.followed_names import ANSWER, OWN_TOKEN
from internal_physics.families.information.tables import ALL_KINDS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """None: where an answer is decided is an estimate with its interval."""
    del tables
    return {}


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """One finding on the first model, for the prompt set with the most answers.

    Where no prompt has an answer, it is about the token that the model itself predicts.

    Args:
        tables: with `decided` and `decided_means`.
        held: nothing; see `p_values`.
    """
    del held
    decided = tables["decided"]
    first = decided[(decided["condition"] == BASELINE) & (decided["model"] == decided["model"].iloc[:1].squeeze())]
    if first.empty:
        return []
    answered = first[first["followed"] == ANSWER]
    told = first if answered.empty else answered
    place = str(first["model"].iloc[0]), str(told["prompt_set"].value_counts(sort=False).idxmax())
    make = own_token_finding if answered.empty else decided_finding
    found = make(told, tables["decided_means"], *place)
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
    start = f"{model} predicts the right answer on {n_right} of {n} prompts of {prompt_set} ({_percent(share)})"
    if settled is None or settled["n_prompts"] == 0:
        return Finding(f"{start}.", *_numbers(share), n, f"decided-{prompt_set}", "decided_means")
    sentence = f"{start}; there it is on top for good from {_place(settled, decided)}."
    return Finding(sentence, *_numbers(settled), int(settled["n_prompts"]), f"decided-{prompt_set}", "decided_means")


def own_token_finding(decided: pd.DataFrame, means: pd.DataFrame, model: str, prompt_set: str) -> Finding | None:
    """Where the token that a model predicts is decided, in the baseline; None where no mean exists.

    Args:
        decided: table `decided`.
        means: table `decided_means`.
        model: whose predictions.
        prompt_set: on which prompts.
    """
    settled = _mean(means, model, prompt_set, "settled_layer", OWN_TOKEN)
    if settled is None or settled["n_prompts"] == 0:
        return None
    n = int(settled["n_prompts"])
    sentence = (
        f"On {plural(n, 'prompt')} of {prompt_set}, the token that {model} predicts is on top for good from "
        f"{_place(settled, decided)}."
    )
    return Finding(sentence, *_numbers(settled), n, f"decided-{prompt_set}", "decided_means")


def _place(settled: pd.Series, decided: pd.DataFrame) -> str:
    """'residual 29.4 of 30 on average (28.9 to 29.8; residual 30 leaves the last block)'."""
    rows = decided[(decided["model"] == settled["model"]) & (decided["prompt_set"] == settled["prompt_set"])]
    depth = _n_layers(rows)
    ends = [f"{settled['ci_low']:.1f} to {settled['ci_high']:.1f}"] if settled["n_prompts"] > 1 else []
    ends += [f"residual {depth} leaves the last block"] if depth else []
    of_depth = f" of {depth}" if depth else ""
    return f"residual {settled['mean']:.1f}{of_depth} on average" + (f" ({'; '.join(ends)})" if ends else "")


def _mean(means: pd.DataFrame, model: str, prompt_set: str, quantity: str, followed: str = ANSWER) -> pd.Series | None:
    rows = means[
        (means["model"] == model)
        & (means["condition"] == BASELINE)
        & (means["prompt_set"] == prompt_set)
        & (means["kind"] == ALL_KINDS)
        & (means["followed"] == followed)
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
