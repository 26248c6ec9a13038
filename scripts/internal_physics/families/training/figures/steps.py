"""Panels along the steps of trainings: a line per training, marks where new plateaus begin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from internal_physics.figures import style

WIDE = 30.0  # largest step over smallest, above 0, from which steps are on a log axis
MARK = "a new plateau begins"


def lines(
    ax: Axes, rows: pd.DataFrame, column: str, looks: Mapping[str, style.ModelStyle], changes: bool = True
) -> None:
    """Draw a column against the step: a line per training, its interval as a band, rings where plateaus begin.

    Args:
        ax: to draw into.
        rows: with the columns parent, step, `column`; ci_low, ci_high and begins_plateau where there are.
        column: what is drawn.
        looks: of the trainings.
        changes: whether `begins_plateau` is about this column.
    """
    for parent, of_training in rows.groupby("parent", sort=False):
        look, ordered = looks[str(parent)], of_training.sort_values("step")
        ax.plot(ordered["step"], ordered[column], **look.line(), markersize=3.5, label=style.literal(str(parent)))
        if "ci_low" in ordered:
            ax.fill_between(
                ordered["step"], ordered["ci_low"], ordered["ci_high"], color=look.color, alpha=0.15, linewidth=0
            )
        if changes:
            begins = ordered[ordered["begins_plateau"].fillna(False).astype(bool)]
            ax.plot(begins["step"], begins[column], **_ring(look.color))


def scale_steps(ax: Axes, steps: pd.Series) -> None:
    """A log axis of steps (linear below the first step after 0) where they span more than a factor of thirty."""
    positive = np.unique(steps[steps > 0])
    if positive.size and positive[-1] > WIDE * positive[0]:
        ax.set_xscale("symlog", linthresh=float(positive[0]))


def legend(ax: Axes, looks: Mapping[str, style.ModelStyle]) -> None:
    """Name the trainings, and the mark of a plateau."""
    entries = [Line2D([], [], **look.line(), markersize=3.5, label=style.literal(n)) for n, look in looks.items()]
    ring = Line2D([], [], label=MARK, **_ring("#444444"))
    ax.legend(handles=[*entries, ring], fontsize="small")


def _ring(color: str) -> dict[str, Any]:
    return {"linestyle": "", "marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": color}
