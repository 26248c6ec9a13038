"""Correlations between the metrics, over prompts and over models, as lower triangles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from internal_physics.families.scores.tables import CORRELATIONS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import require_columns, split
from internal_physics.tables.read import read_table

LEVELS = ("prompt", "model")
METRIC_ORDER = ("isc", "ec", "isg", "isa", "isf")
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
COLORMAP = "RdBu_r"
DAGGER = "†"
FEW = 10
MAX_SIDE_BY_SIDE = 6  # variables of a panel
CELL_INCHES = 0.5  # that two lines of numbers fill
SHORT_LABEL = 4  # letters that fit a cell unrotated
_DARK_FROM = 0.6  # |r| above which the cell is dark enough to need white letters


def figures(inputs: Inputs) -> Figures:
    """One figure of the run; a correlation with a status is drawn and marked."""
    yield "", draw(read_table(inputs["correlations"], CORRELATIONS), show_flagged=True)


def draw(correlations: pd.DataFrame, *, show_flagged: bool = False) -> Figure:
    """Draw Pearson's r for every pair of metrics: one lower triangle over prompts, one over models.

    Args:
        correlations: rows (x, y, level, n, pearson_r, p_adjusted, status), each unordered pair at most once
            a level; level is "prompt" or "model"; p_adjusted is the p-value after the correction for
            many tests. NaN p_adjusted gives no star.
        show_flagged: show a finite r whose status is not "ok" too, with a dagger and its status in the note;
            else it is left out like one that is missing.

    Returns:
        A figure with one panel per level that the table has. A pair whose r is not usable is a grey cell "n/a".

    Raises:
        ValueError: columns are missing, a level is unknown, or a pair occurs twice in a level.
    """
    _check(correlations)
    levels = [level for level in LEVELS if (correlations["level"] == level).any()]
    with style.house_style():
        sizes = [len(order_variables(correlations[correlations["level"] == level])) for level in levels]
        figure, axes = _figure(sizes)
        for ax, level in zip(axes, levels, strict=False):
            _panel(ax, correlations[correlations["level"] == level], level, show_flagged=show_flagged)
        if levels:
            bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), COLORMAP), ax=axes, shrink=0.8, aspect=25)
            bar.set_label("Pearson's r (dimensionless)")
        else:
            axes[0].set_axis_off()
            style.empty_panel(axes[0], "no correlations in the table")
        return style.finish(figure, _title(correlations, levels), _notes(correlations, levels, show_flagged))


def _figure(sizes: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each number of variables: side by side, or one above the other where a cell's numbers
    would not fit.
    """
    if max(sizes, default=0) <= MAX_SIDE_BY_SIDE:
        figure = style.new_figure(style.PAGE_WIDTH_INCHES * (1.0 if len(sizes) > 1 else 0.6), 3.3)
        return figure, list(figure.subplots(1, max(1, len(sizes)), squeeze=False)[0])
    heights = [CELL_INCHES * size for size in sizes]
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(heights) + 0.9 * len(sizes))
    return figure, list(figure.subplots(len(sizes), 1, squeeze=False, height_ratios=heights)[:, 0])


def stars(p_adjusted: float) -> str:
    """'***' below 0.001, '**' below 0.01, '*' below 0.05, else ''; NaN gives ''."""
    return next((mark for bound, mark in STARS if p_adjusted < bound), "")


def order_variables(rows: pd.DataFrame) -> list[str]:
    """The variables of the pairs: the metrics in the order of the radar, then any others by name."""
    present = set(rows["x"]) | set(rows["y"])
    return [m for m in METRIC_ORDER if m in present] + sorted(present - set(METRIC_ORDER))


def _check(correlations: pd.DataFrame) -> None:
    require_columns(correlations, ["x", "y", "level", "n", "pearson_r", "p_adjusted", "status"])
    if unknown := sorted(set(correlations["level"]) - set(LEVELS)):
        raise ValueError(f"unknown levels {unknown}; expected some of {list(LEVELS)}")
    pairs = [(level, *sorted(p)) for level, *p in correlations[["level", "x", "y"]].itertuples(index=False)]
    if len(set(pairs)) != len(pairs):
        raise ValueError("a pair of variables occurs twice in one level")


def _panel(ax: Axes, rows: pd.DataFrame, level: str, *, show_flagged: bool) -> None:
    names = order_variables(rows)
    usable, _ = split(rows, ["pearson_r"], show_flagged=show_flagged)
    cells = {frozenset((row.x, row.y)): row for row in usable.itertuples()}
    for row_index, row_name in enumerate(names):
        for column_index, column_name in enumerate(names[:row_index]):
            _cell(ax, column_index, row_index - 1, cells.get(frozenset((row_name, column_name))))
    size = len(names) - 1
    labels = [_label(name) for name in names]
    ax.set_xticks(range(size), labels=labels[:-1], rotation=45 if max(map(len, labels[:-1])) > SHORT_LABEL else 0)
    ax.set_yticks(range(size), labels=labels[1:])
    ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_title(f"Over {level}s (n = {_range(rows['n'])})", fontweight="bold")


def _cell(ax: Axes, column: int, row: int, pair: Any) -> None:
    face: Any
    if pair is None:
        face, text, color = style.BLANK_COLOR, "n/a", "#444444"
    else:
        face = ScalarMappable(Normalize(-1, 1), COLORMAP).to_rgba(pair.pearson_r)
        dagger = "" if pair.status == "ok" else DAGGER
        text = f"{pair.pearson_r:.2f}{dagger}\n{stars(pair.p_adjusted)}".rstrip("\n").replace("-", style.MINUS)
        color = "white" if abs(pair.pearson_r) > _DARK_FROM else "#222222"
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, edgecolor="white", linewidth=1.5))
    ax.text(column, row, text, ha="center", va="center", color=color, linespacing=1.0, fontsize=9, gid="cell")


def _label(name: str) -> str:
    return name.upper() if name in METRIC_ORDER else name.replace("_nats", " (nats)").replace("_", " ")


def _range(n: pd.Series) -> str:
    low, high = int(n.min()), int(n.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _title(correlations: pd.DataFrame, levels: Sequence[str]) -> str:
    sizes = [f"over {level}s (n = {_range(correlations.loc[correlations['level'] == level, 'n'])})" for level in levels]
    return f"Correlation of the metrics {' and '.join(sizes)}".rstrip()


def _notes(correlations: pd.DataFrame, levels: Sequence[str], show_flagged: bool) -> list[str]:
    notes = ["Adjusted permutation p: * < 0.05, ** < 0.01, *** < 0.001; no star: not significant or no p-value."]
    for level in levels:
        n = int(np.max(correlations.loc[correlations["level"] == level, "n"]))
        if n < FEW:
            notes.append(f"Few {level}s (n = {n}): read that panel as a description, not as evidence.")
    sizes = correlations["level"].value_counts()
    usable, left_out = split(correlations, ["pearson_r"], show_flagged=show_flagged)
    flagged = _by_reason(usable[usable["status"] != "ok"], sizes)
    notes += [f"{DAGGER} Read with care: {'; '.join(flagged)}."] if flagged else []
    missing = _by_reason(left_out, sizes)
    return notes + ([f"n/a: {'; '.join(missing)}."] if missing else [])


def _by_reason(rows: pd.DataFrame, sizes: pd.Series) -> list[str]:
    """'EC with ISC over models (reason)' for each level and status; 'every pair' for all of a level."""
    found = []
    for (level, status), pairs in rows.groupby(["level", "status"], sort=True):
        names = [f"{_label(row.x)} with {_label(row.y)}" for row in pairs.itertuples()]
        which = "every pair" if len(pairs) == sizes[level] else ", ".join(names)
        found.append(f"{which} over {level}s ({status})")
    return found
