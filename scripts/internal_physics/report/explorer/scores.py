"""Scores of prompt sets for the radar: normalised, with the value and interval behind each. Pure, no I/O."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.tables.keys import SET_KEY

_KEY = [*SET_KEY, "metric"]
OF_SCORES = (*_KEY, "value", "ci_low", "ci_high")
OF_NORMALIZED = (*_KEY, "unit", "score", "n_prompts", "status")


def describe_scores(
    scores: pd.DataFrame, normalized: pd.DataFrame, titles: Mapping[str, str], about: Mapping[str, str]
) -> dict[str, Any]:
    """Metrics and rows of the radar.

    Args:
        scores: table `scores`, with OF_SCORES.
        normalized: table `scores_normalized`, with OF_NORMALIZED; its metrics are the axes.
        titles: metric → its word on an axis.
        about: metric → what it measures.

    Returns:
        metrics: {name, label, about} each; rows: {model, condition, set, metric, score, value, low, high, unit, n,
        status} each, where a number that is missing is null.
    """
    names = list(dict.fromkeys(normalized["metric"]))
    both = normalized[list(OF_NORMALIZED)].merge(scores[list(OF_SCORES)], on=_KEY, how="left")
    return {
        "metrics": [
            {"name": name, "label": titles.get(name, name.upper()), "about": about.get(name, "")} for name in names
        ],
        "rows": [_row(row) for row in both.itertuples(index=False)],
    }


def _row(row: Any) -> dict[str, Any]:
    numbers = {"score": row.score, "value": row.value, "low": row.ci_low, "high": row.ci_high}
    told = {"model": row.model, "condition": row.condition, "set": row.prompt_set, "metric": row.metric}
    finite = {name: float(f"{number:.5g}") if math.isfinite(number) else None for name, number in numbers.items()}
    return told | finite | {"unit": row.unit, "n": int(row.n_prompts), "status": row.status}
