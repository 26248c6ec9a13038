"""Difference of every model from its reference on each prompt set, with paired intervals: a panel per score."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.pairs.apart import significance_of
from internal_physics.families.pairs.tables import ALL_SETS, LOSS, MODEL_PAIRS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.ground.names import BASELINE
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.read import read_table

ROW_INCHES, MODEL_INCHES, REST_INCHES = 0.16, 0.085, 0.7
LEGEND_ROW_INCHES, LEGEND_COLUMNS = 0.28, 4
SPREAD = 0.7  # of a row's height that its models share
MOST_COLUMNS = 5
COLUMNS = ["metric", "reference", "ratio", "ratio_ci_low", "ratio_ci_high", "p_adjusted", "n_prompts"]


def figures(inputs: Inputs, *, models: Sequence[str], statistics: Mapping[str, Any]) -> Figures:
    """One figure of the run."""
    table = read_table(inputs["model_pairs"], MODEL_PAIRS)
    yield "", draw(table, models=models, confidence_level=statistics["confidence_level"])


def draw(
    model_pairs: pd.DataFrame,
    condition: str = BASELINE,
    *,
    models: Sequence[str] | None = None,
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Figure:
    """Draw the ratio of every model's scores to those of its reference, as a change in percent.

    Args:
        model_pairs: the table. Only pairs with a reference that is itself compared with no other model are shown, and
            only scores that have a ratio.
        condition: which condition.
        models: their order, which fixes their looks; by name when not given.
        confidence_level: of the intervals; 1 minus it is the largest adjusted p that tells two models apart.
    """
    require_columns(model_pairs, ["model", "condition", "prompt_set", *COLUMNS])
    rows = model_pairs[model_pairs["condition"] == condition]
    rows = rows[~rows["reference"].isin(set(rows["model"]))]
    shown = rows[np.isfinite(rows["ratio_ci_low"]) & np.isfinite(rows["ratio_ci_high"])]
    looks = style.model_styles(order_models({*model_pairs["model"], *model_pairs["reference"]}, models))
    references = list(dict.fromkeys(rows["reference"]))
    whose = references[0] if len(references) == 1 else "the reference of its task"
    title = f"Difference of each model from {whose}, prompt by prompt"
    with style.house_style():
        if shown.empty:
            figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.5)
            style.empty_panel(figure.add_subplot(), "no two models have enough prompts to be compared")
            return style.finish(figure, title)
        sets, compared = list(dict.fromkeys(rows["prompt_set"])), [m for m in looks if m in set(shown["model"])]
        metrics = list(dict.fromkeys(shown["metric"]))
        metrics, left_out = metrics[:MOST_COLUMNS], metrics[MOST_COLUMNS:]
        significance = significance_of(confidence_level)
        figure, panels, below = _axes(len(metrics), len(sets), len(compared))
        for ax, metric in zip(panels, metrics, strict=True):
            of_metric = shown[shown["metric"] == metric]
            _panel(ax, of_metric.assign(is_apart=of_metric["p_adjusted"] < significance), sets, compared, looks)
            ax.set_title(metric if metric == LOSS.name else metric.upper())
        _label_rows(panels[0], rows, sets)
        panels[len(panels) // 2].set_xlabel(f"change of the mean against {style.literal(whose)} (percent)")
        _legend(below, compared, looks)
        return style.finish(figure, title, _notes(confidence_level, significance, left_out))


def _axes(n_metrics: int, n_sets: int, n_models: int) -> tuple[Figure, list[Axes], Axes]:
    """The figure, a panel for each metric, and the place of the legend."""
    heights = [n_sets * (ROW_INCHES + MODEL_INCHES * n_models) + REST_INCHES]
    heights.append(LEGEND_ROW_INCHES * -(-n_models // LEGEND_COLUMNS))
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(heights))
    grid = figure.add_gridspec(2, n_metrics, height_ratios=heights)
    first = figure.add_subplot(grid[0, 0])
    others = [figure.add_subplot(grid[0, column], sharey=first) for column in range(1, n_metrics)]
    for ax in others:
        ax.tick_params(labelleft=False)
    below = figure.add_subplot(grid[1, :])
    below.set_axis_off()
    return figure, [first, *others], below


def _panel(
    ax: Axes, rows: pd.DataFrame, sets: Sequence[str], models: Sequence[str], looks: Mapping[str, style.ModelStyle]
) -> None:
    ax.axvline(0, color="#999999", linewidth=0.8, zorder=1)
    for row in rows.itertuples():
        place = sets.index(row.prompt_set) + SPREAD * ((models.index(row.model) + 0.5) / len(models) - 0.5)
        value, low, high = (100 * (ratio - 1) for ratio in (row.ratio, row.ratio_ci_low, row.ratio_ci_high))
        color = looks[row.model].color
        ax.plot([low, high], [place, place], color=color, linewidth=1.2, alpha=1 if row.is_apart else 0.45)
        face = color if row.is_apart else "white"
        marker: dict[str, Any] = {"marker": looks[row.model].marker, "markersize": 4.5, "markerfacecolor": face}
        ax.plot(value, place, color=color, **marker, gid=f"{row.metric} {row.model} {row.prompt_set}")
    ax.set_ylim(len(sets) - 0.5, -0.5)
    if ALL_SETS in sets and len(sets) > 1:
        ax.axhline(sets.index(ALL_SETS) - 0.5, color="#bbbbbb", linewidth=0.8)
    ax.grid(axis="y", visible=False)
    ax.locator_params(axis="x", nbins=4)


def _label_rows(ax: Axes, rows: pd.DataFrame, sets: Sequence[str]) -> None:
    n_prompts = rows.groupby("prompt_set")["n_prompts"].max()
    labels = [f"{style.literal(name)} ({n_prompts[name]})" for name in sets]
    ax.set_yticks(range(len(sets)), labels=labels)


def _legend(below: Axes, models: Sequence[str], looks: Mapping[str, style.ModelStyle]) -> None:
    line: dict[str, Any] = {"linestyle": "-", "linewidth": 1.2}
    handles = [below.plot([], [], color=looks[m].color, marker=looks[m].marker, **line)[0] for m in models]
    names = [style.wrap_name(model, 18) for model in models]
    below.legend(handles, names, loc="center", ncols=LEGEND_COLUMNS)


def _notes(confidence_level: float, significance: float, left_out: Sequence[str]) -> list[str]:
    return [
        f"Lines: paired {100 * confidence_level:g} % intervals. Filled: told apart (adjusted p < {significance:g}); "
        "hollow: chance may explain the difference. In brackets: prompts. ISF is one number a set: not compared.",
        *([f"Not shown, see table model_pairs: {', '.join(left_out)}."] if left_out else []),
    ]
