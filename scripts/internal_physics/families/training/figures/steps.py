"""Panels along the steps of trainings: a line per training, marks where new plateaus begin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from internal_physics.figures import style

WIDE = 20.0  # largest step over smallest, above 0, from which steps are on a log axis
FAR = 30.0  # the same of positive values
_GAP = 1 / 6  # of the axis: labelled steps are at least so far apart
MARK = "a new plateau begins"


def looks_of(training: pd.DataFrame, shown: pd.DataFrame) -> dict[str, style.ModelStyle]:
    """The looks of the trainings that are shown: by their places among all of the run, so that each keeps its colour.

    Args:
        training: table `training`, whole.
        shown: rows with the column parent.
    """
    looks = style.model_styles(sorted(training["parent"].unique()))
    return {parent: looks[parent] for parent in sorted(shown["parent"].unique())}


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
    """Steps with thousands; a log axis, labelled at checkpoints, where they span more than a factor of twenty.

    Such an axis is linear below the first step after 0.
    """
    positive = np.unique(steps[steps > 0])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    if positive.size and positive[-1] > WIDE * positive[0]:
        ax.set_xscale("symlog", linthresh=float(positive[0]))
        ax.autoscale(axis="x")  # the margins so far may be those of a linear axis
        ax.xaxis.set_major_locator(FixedLocator(_labelled(np.unique(steps))))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())


def scale_values(ax: Axes, values: pd.Series) -> bool:
    """A log axis for positive values that span more than a factor of thirty; whether it is one."""
    is_log = bool((values > 0).all() and values.max() > FAR * values.min())
    if is_log:
        ax.set_yscale("log")
        style.plain_log_labels(ax.yaxis)
    return is_log


def _labelled(steps: np.ndarray) -> list[float]:
    """The last step, and going down those that are far enough from the one before on a log axis."""
    first = steps[steps > 0].min()
    places = np.log(np.maximum(steps, first / np.e))  # as symlog has 0
    gap = _GAP * (places[-1] - places[0])
    kept = [len(steps) - 1]
    for index in range(len(steps) - 2, -1, -1):
        if places[kept[-1]] - places[index] >= gap:
            kept.append(index)
    return [float(steps[index]) for index in reversed(kept)]


def legend(ax: Axes, looks: Mapping[str, style.ModelStyle]) -> None:
    """Name the trainings, and the mark of a plateau, in a panel that has nothing else."""
    entries = [Line2D([], [], **look.line(), markersize=3.5, label=style.literal(n)) for n, look in looks.items()]
    ring = Line2D([], [], label=MARK, **_ring("#444444"))
    ax.set_axis_off()
    ax.legend(handles=[*entries, ring], loc="center left", fontsize="small")


def _ring(color: str) -> dict[str, Any]:
    return {"linestyle": "", "marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": color}
