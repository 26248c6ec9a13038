"""Bars of the radar: how far each model is from the outermost one of a spoke, by paired intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.projections.polar import PolarAxes

from internal_physics.figures.style import ModelStyle

Ends = dict[str, tuple[float, float]]  # model -> ends of its bar on the normalised scale
EPSILON = 1e-9  # as in the normalised score
STEP = 0.045  # radians between the bars of neighbouring models


def draw_bars(ax: PolarAxes, metrics: Sequence[str], bars: Mapping[str, Ends], looks: Mapping[str, ModelStyle]) -> None:
    """A bar along the spoke for each model that has one, beside the spoke so that none hides another.

    Args:
        ax: radial axis from 0 to 1.
        metrics: of the spokes, clockwise from the top.
        bars: metric -> ends of the models' bars.
        looks: of all models, in their order.
    """
    order = list(looks)
    for spoke, metric in enumerate(metrics):
        for model, ends in bars[metric].items():
            beside = STEP * (order.index(model) - (len(order) - 1) / 2)
            angle = 2 * np.pi * spoke / len(metrics) + beside
            line: dict[str, Any] = {"color": looks[model].color, "linewidth": 4.0, "alpha": 0.35, "zorder": 1.8}
            ax.plot([angle, angle], ends, solid_capstyle="butt", **line, gid=f"bar {metric} {model}")


def bar_ends(scores: pd.DataFrame, model_pairs: pd.DataFrame) -> Ends:
    """Ends of the models' bars, 0 to 1; models without an interval are absent.

    The outermost model has the smallest value and no bar. Both ends of another one's difference from it are put where a
    model of that value would stand, and cut to the scale: a difference that may be zero reaches the outermost model.

    Args:
        scores: model, value, and value_at_0 and value_at_1 of the scale, one row per model.
        model_pairs: rows of table `model_pairs`, one a pair of models.
    """
    scores = scores[np.isfinite(scores["value"])]
    if scores.empty or not scores["value_at_0"].iloc[0] > scores["value_at_1"].iloc[0]:
        return {}
    values = scores.set_index("model")["value"]
    low, high = (1 / (scores[name].iloc[0] + EPSILON) for name in ("value_at_0", "value_at_1"))
    best, ends = values.idxmin(), {}
    for row in model_pairs[(model_pairs["model"] == best) | (model_pairs["reference"] == best)].itertuples():
        model, sign = (row.reference, -1) if row.model == best else (row.model, 1)
        shifted = np.maximum(values[best] + sign * np.array([row.ci_low, row.ci_high]), 0.0)
        places = np.clip((1 / (shifted + EPSILON) - low) / (high - low), 0.0, 1.0)
        if model in values.index and np.isfinite(places).all():
            ends[model] = (float(places.min()), float(places.max()))
    return ends
