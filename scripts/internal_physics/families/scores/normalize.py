"""Scores of several models on one scale: table `scores` in, table `scores_normalized` out."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from internal_physics.families.scores.tables import ALONE, SCORES_NORMALIZED
from internal_physics.ground.errors import ConfigError
from internal_physics.tables.columns import UNIT

_COLUMNS = [name for name in SCORES_NORMALIZED.columns if name != UNIT]  # the adapter adds units
_GROUP = ["condition", "prompt_set", "metric"]
_ROUNDING = 1e-12  # relative to the largest inverse: values that are closer are not told apart


def normalize_scores(
    scores: pd.DataFrame,
    *,
    epsilon: float = 1e-9,
    metrics: Sequence[str] | None = None,
    scale: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Turn metric values, smaller is better, into scores from 0 to 1, larger is better.

    Within each condition, prompt set and metric: `1/(value+epsilon)`, then min-max over the models. So the
    model with the smallest value gets 1 and the one with the largest 0; a score gives a model's place among these
    models and changes if a model is added or removed. The inverse spreads small values and compresses large ones.
    Source: the radar chart of the Internal Physics Benchmark.

    Args:
        scores: table `scores`: columns model, condition, prompt_set, metric, value, n_prompts, status at least. The
            metrics are zero or more by definition, which keeps the inverse positive and falling.
        epsilon: above 0, in the unit of the values; it keeps the inverse of zero finite.
        metrics: the metrics to normalize; all, if not given. Metrics without a better and a worse end (a temperature)
            or with negative values (a free energy) get no row.
        scale: table `scores` of another run, whose models then set both ends instead of those of `scores`. A value
            beyond them gets 0 or 1, and if the scale does not have two different values, there is no score; the status
            says so.

    Returns:
        Table `scores_normalized`, one row per row of `scores` (of these metrics) in the same order, index 0, 1,
        ... Equal values get 0.5 each, and so does a single model, whose status says so; so do values whose inverses
        are equal up to rounding, with a status. A value that is not finite is left out and gets NaN; its status says
        why. The status of a score is kept.

    Raises:
        KeyError: a column is missing.
        ConfigError: the gradients behind the scale are of another number than those behind the scores.
        ValueError: a value is negative, a model occurs twice in a group, or epsilon is not above 0.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon is {epsilon}: expected a finite number above 0")
    wanted = scores if metrics is None else scores[scores["metric"].isin(metrics)]
    table = wanted[["model", *_GROUP, "value", "n_prompts", "status"]].reset_index(drop=True)
    table["value"] = table["value"].astype("float64")
    _check(table)
    if scale is not None:
        _require_one_target(scores, scale)
        scale = scale[scale["metric"].isin(set(table["metric"]))]
        _check(scale)
    largest, smallest, count = _ends(table, table if scale is None else scale)
    inverse, low, high = (1 / (values + epsilon) for values in (table["value"], largest, smallest))
    finite = np.isfinite(table["value"])
    apart = high - low > _ROUNDING * high
    score = ((inverse - low) / (high - low)).where(apart, 0.5 if scale is None else np.nan).where(finite)
    alone = finite & (count == 1) & (scale is None)
    merged = finite & ~apart & (largest > smallest) & (scale is None)
    notes = [_note(*row) for row in zip(table["value"], alone, merged, score, strict=True)]
    status = [_status(*row) for row in zip(table["status"], notes, strict=True)]
    table = table.assign(score=score.clip(0, 1), value_at_0=largest, value_at_1=smallest)
    return table.assign(status=pd.Series(status, dtype="str"))[_COLUMNS]


def _require_one_target(scores: pd.DataFrame, scale: pd.DataFrame) -> None:
    if not all("target" in table and len(table) for table in (scores, scale)):
        return
    own, other = (sorted(set(table["target"])) for table in (scores, scale))
    if own != other:
        raise ConfigError(
            f"the scores of this run are of gradients of the {', '.join(own)}, those of the scale of the "
            f"{', '.join(other)}",
            where="score_scale",
            expected="a run with the same record.target",
            todo="name the scores of such a run, or leave score_scale out",
        )


def _ends(table: pd.DataFrame, scale: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Largest and smallest finite value of the scale and their number, for each row of the table; NaN for none."""
    values = scale["value"].astype("float64")
    of_scale = scale.assign(value=values.where(np.isfinite(values))).groupby(_GROUP, sort=False)["value"]
    ends = table[_GROUP].merge(of_scale.agg(["max", "min", "count"]).reset_index(), on=_GROUP, how="left")
    return ends["max"], ends["min"], ends["count"]


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


def _note(value: float, alone: bool, merged: bool, score: float) -> str:
    if alone:
        return ALONE
    if merged:
        return "the models differ by rounding, or by less than epsilon shows: 0.5 each"
    if not math.isfinite(value):
        return f"value is {value}: no score"
    if math.isnan(score):
        return "the scale has no two different values here: no score"
    return "" if 0 <= score <= 1 else "beyond the models of the scale"


def _status(status: str, note: str) -> str:
    if status == "ok":
        return note or "ok"
    # The status of a flagged row already says why its value is not finite; other notes are added to it.
    return status if not note or note.startswith("value is") else f"{status}; {note}"
