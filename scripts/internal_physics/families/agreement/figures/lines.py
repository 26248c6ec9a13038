"""Shared by the figures of agreement: which rows they show, and the name and look of each line."""

from collections.abc import Sequence

import pandas as pd

from internal_physics.figures import style
from internal_physics.figures.selection import order_models
from internal_physics.ground.names import BASELINE


def between_rows(means: pd.DataFrame, prompt_set: str, between: str) -> pd.DataFrame:
    """Rows of a prompt set between models in the baseline, or between conditions of a model; column `line` names them.

    Raises:
        ValueError: if `between` is neither "models" nor "conditions".
    """
    if between not in ("models", "conditions"):
        raise ValueError(f"between is {between!r}: expected models or conditions")
    is_own = means["reference"] == means["model"]
    chosen = ~is_own & (means["condition"] == BASELINE) if between == "models" else is_own
    rows = means[chosen & (means["prompt_set"] == prompt_set)]
    names = rows["model"] if between == "models" else rows["model"] + " · " + rows["condition"]
    return rows.assign(line=names)


def line_looks(
    means: pd.DataFrame, rows: pd.DataFrame, models: Sequence[str] | None, between: str
) -> dict[str, style.ModelStyle]:
    """Line → its look: that of its model, as in all figures of a run; for conditions, by their order."""
    if between == "conditions":
        return style.model_styles(list(rows["line"].drop_duplicates()))
    looks = style.model_styles(order_models({*means["model"], *means["reference"]}, models))
    return {model: look for model, look in looks.items() if model in set(rows["line"])}


def reference_words(rows: pd.DataFrame, between: str) -> str:
    """The name of the reference; general words if there are several."""
    if between == "conditions":
        return "the baseline"
    names = list(rows["reference"].drop_duplicates())
    return names[0] if len(names) == 1 else "the reference model"
