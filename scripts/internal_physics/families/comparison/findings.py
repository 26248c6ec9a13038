"""What steering moved, in sentences: tables comparisons and conditions → findings. Pure."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.families.finding import Finding, Held, PValues, number, p_at_most
from internal_physics.families.information.watched import WATCHED
from internal_physics.families.run.tables import CONDITIONS
from internal_physics.ground.words import plural

MOST = 2  # sentences
MOST_TOKENS = 2  # that rise, and as many that fall, in a sentence
LOSS = "loss_nats"
_SMALL_PERCENT = 0.1  # below it, two significant digits


def p_values(tables: Mapping[str, pd.DataFrame]) -> PValues:
    """(model, condition, what) -> p of "steering does not move it", for what a sentence may name."""
    return {_claim(row): float(row.p) for row in judged(tables[COMPARISONS.name]).itertuples()}


def findings(tables: Mapping[str, pd.DataFrame], held: Held) -> list[Finding]:
    """One sentence for each model and condition that moves something, in the order of the table, at most two.

    Args:
        tables: with `comparisons` and `conditions`.
        held: those of `p_values` that chance does not explain.
    """
    rows = judged(tables[COMPARISONS.name])
    moved = rows.loc[[row.Index for row in rows.itertuples() if _claim(row) in held]]
    conditions = tables[CONDITIONS.name].set_index("condition")
    found = []
    for place, own in moved.groupby(["model", "condition"], sort=False):
        p_adjusted = max(held[_claim(row)] for row in own.itertuples())
        against = moved_against(moved, conditions, *map(str, place))
        found.append(moved_finding(own, conditions.loc[place[1]], against, p_adjusted))
    return found[:MOST]


def judged(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The rows that the sentences are about: final probabilities of watched tokens, else the loss.

    Of each model and condition on the prompt set with the most prompts, the first of those. Column `what` says what a
    row is about: the token in straight double quotes, its blank included, or "the loss".
    """
    rows = comparisons[(comparisons["measure"] == "difference") & comparisons["p"].notna()]
    watched = rows[rows["quantity"] == WATCHED]
    last = watched[watched["layer"] == watched.groupby("model")["layer"].transform("max")]
    told = last if len(last) else rows[rows["quantity"] == LOSS]
    told = told.assign(what='"' + told["token"] + '"' if len(last) else "the loss")
    largest = told["n_prompts"] == told.groupby(["model", "condition"])["n_prompts"].transform("max")
    told = told[largest]
    return told[told["prompt_set"] == told.groupby(["model", "condition"])["prompt_set"].transform("first")]


def moved_against(moved: pd.DataFrame, conditions: pd.DataFrame, model: str, condition: str) -> list[str]:
    """What a negative scale moves the same way as a positive scale of the same direction.

    Args:
        moved: rows of `judged` that chance does not explain.
        conditions: table `conditions`, by condition.
        model: of the condition.
        condition: if its scale is not negative, there is nothing to expect.
    """
    own = conditions.loc[condition]
    if own["scale"] >= 0:
        return []
    opposite = conditions.index[(conditions["adds"] == own["adds"]) & (conditions["scale"] > 0)]
    of_model = moved[moved["model"] == model]
    before = of_model[of_model["condition"].isin(opposite)].set_index("what")["value"]
    now = of_model[of_model["condition"] == condition].set_index("what")["value"]
    return [name for name in now.index if name in before.index and (now[name] * before.loc[[name]] > 0).any()]


def moved_finding(moved: pd.DataFrame, condition: pd.Series, against: list[str], p_adjusted: float) -> Finding:
    """The sentence on one condition of one model.

    Args:
        moved: its rows of `judged` that chance does not explain; at least one.
        condition: its row of table `conditions`.
        against: tokens that move against the expectation.
        p_adjusted: the largest of these rows.
    """
    ordered = moved.loc[moved["value"].abs().sort_values(ascending=False, kind="stable").index]
    rising, falling = (ordered[side].head(MOST_TOKENS) for side in (ordered["value"] > 0, ordered["value"] < 0))
    first = (rising if len(rising) else falling).iloc[0]
    is_loss = first["quantity"] == LOSS
    says = _loss_changes if is_loss else _token_changes
    surprise = f"; against expectation, {', '.join(against)} moves as it does with a positive scale" if against else ""
    sentence = (
        f"On {plural(int(first['n_prompts']), 'prompt')} of {first['prompt_set']}, steering {first['model']} with "
        f"“{first['condition']}” (scale {number(condition['scale'], 'g')}, {condition['layers']}) "
        f"{says(rising, falling)}{surprise}; {p_at_most(p_adjusted)}."
    )
    figure = "difference_distributions" if is_loss else "watched_tokens"
    numbers = (float(first["value"]), float(first["ci_low"]), float(first["ci_high"]), int(first["n_prompts"]))
    return Finding(sentence, *numbers, f"{figure}-{first['prompt_set']}", COMPARISONS.name, p_adjusted)


def _token_changes(rising: pd.DataFrame, falling: pd.DataFrame) -> str:
    """'makes next tokens more probable: " happy" 1.7 % → 8.1 % (change +3.5 to +10 points)', and what falls."""
    sides = ((rising, "more"), (falling, "less"))
    parts = [f"{word} probable: {', '.join(map(_change, rows.itertuples()))}" for rows, word in sides if len(rows)]
    return f"makes next tokens {'; '.join(parts)}"


def _loss_changes(rising: pd.DataFrame, falling: pd.DataFrame) -> str:
    row = (rising if len(rising) else falling).iloc[0]
    ends = f"change {number(row['ci_low'], '+.2g')} to {number(row['ci_high'], '+.2g')} nats"
    return f"changes the loss from {row['baseline']:.3g} to {row['steered']:.3g} nats ({ends})"


def _change(row: Any) -> str:
    """'" happy" 1.7 % → 8.1 % (change +3.5 to +10 points)'."""
    ends = f"change {number(100 * row.ci_low, '+.2g')} to {number(100 * row.ci_high, '+.2g')} points"
    return f"{row.what} {_percent(row.baseline)} → {_percent(row.steered)} ({ends})"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.2g} %" if percent < _SMALL_PERCENT else f"{percent:.1f} %"


def _claim(row: Any) -> Hashable:
    return row.model, row.condition, row.what
