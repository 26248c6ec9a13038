"""Scores of several models on one scale: table `scores` in, table `scores_normalized` out."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from internal_physics.families.scores.tables import SCORES_NORMALIZED

_GROUP = ["condition", "prompt_set", "metric"]
_ALONE = "one model: nothing to compare with"


def normalize_scores(
    scores: pd.DataFrame, *, epsilon: float = 1e-9, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Turn metric values, smaller is better, into scores from 0 to 1, larger is better.

    Within each condition, prompt set and metric: `1/(value+epsilon)`, then min-max over the models. So the
    model with the smallest value gets 1 and the one with the largest 0; a score says where a model stands
    among these models and changes when one joins or leaves. The inverse stretches small values apart and
    presses large ones together. Source: the radar chart of the Internal Physics Benchmark.

    Args:
        scores: table `scores`: columns model, condition, prompt_set, metric, value, n_prompts, status at least. The
            metrics are zero or more by definition, which keeps the inverse positive and falling.
        epsilon: above 0, in the unit of the values; keeps the inverse of zero finite.
        metrics: the metrics to normalize, all where it is not given. Others have no better and worse (a
            temperature), or can be negative (a free energy): they get no row.

    Returns:
        Table `scores_normalized`, one row per row of `scores` (of these metrics) in the same order, index 0, 1,
        ... Equal values get 0.5 each, and so does a model alone, whose status says so. A value that is not finite
        takes no part and gets NaN; its status says why. A status that the score came with is kept.

    Raises:
        KeyError: a column is missing.
        ValueError: a value is negative, a model occurs twice in a group, or epsilon is not above 0.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon is {epsilon}: expected a finite number above 0")
    wanted = scores if metrics is None else scores[scores["metric"].isin(metrics)]
    table = wanted[["model", *_GROUP, "value", "n_prompts", "status"]].reset_index(drop=True)
    table["value"] = table["value"].astype("float64")
    _check(table)
    finite = np.isfinite(table["value"])
    inverse = (1 / (table["value"] + epsilon)).where(finite)
    over_models = inverse.groupby([table[name] for name in _GROUP], dropna=False)
    low, high = over_models.transform("min"), over_models.transform("max")
    alone = finite & (over_models.transform("count") == 1)
    score = ((inverse - low) / (high - low)).where(high > low, 0.5).where(finite)
    status = [_status(*row) for row in zip(table["status"], table["value"], alone, strict=True)]
    return table.assign(score=score, status=pd.Series(status, dtype="str"))[list(SCORES_NORMALIZED.columns)]


def _check(table: pd.DataFrame) -> None:
    negative = table[np.isfinite(table["value"]) & (table["value"] < 0)]
    if len(negative):
        row = negative.iloc[0]
        raise ValueError(f"{row['metric']} of {_place(row)} is {row['value']}: expected zero or more")
    repeated = table[table.duplicated(["model", *_GROUP])]
    if len(repeated):
        row = repeated.iloc[0]
        raise ValueError(f"{row['metric']} of {_place(row)} occurs twice: expected one row")


def _place(row: pd.Series) -> str:
    return f"{row['model']} on {row['prompt_set']} ({row['condition']})"


def _status(status: str, value: float, alone: bool) -> str:
    note = _ALONE if alone else "" if math.isfinite(value) else f"value is {value}: no score"
    if status == "ok":
        return note or "ok"
    # A flagged row already says why its value is not finite; that it stands alone is news.
    return f"{status}; {note}" if alone else status
