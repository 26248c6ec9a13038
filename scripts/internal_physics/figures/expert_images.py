"""Images [block, expert]: one below the other for the models that have experts, on one color scale."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.heatmaps import draw_image

COLORMAP = "magma"
ARBITRARY = "The numbers of experts are arbitrary: a column connects nothing between blocks."
_ROW_INCHES, _MODEL_INCHES, _MOST_INCHES = 0.16, 0.55, 4.0


def expert_image(rows: pd.DataFrame, values: str) -> np.ndarray:
    """[block, expert] of a column of rows with layer and expert; NaN where a block has no such expert.

    Where a block has several modules of experts (column `experts`), they stand one after the other in its row.
    """
    place = rows.sort_values([name for name in ("layer", "experts", "expert") if name in rows])
    column = place.groupby("layer").cumcount()
    image = np.full((int(place["layer"].max()) + 1, int(column.max()) + 1), np.nan)
    image[place["layer"], column] = place[values]
    return image


def draw_experts(images: Mapping[str, np.ndarray], norm: Normalize, label: str) -> Figure:
    """A figure with an image [block, expert] for each model, and a bar with the label; title and notes are missing."""
    heights = [_MODEL_INCHES + min(_MOST_INCHES, _ROW_INCHES * max(3, len(image))) for image in images.values()]
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(heights) + 0.3)
    axes = list(figure.subplots(len(images), 1, squeeze=False, height_ratios=heights)[:, 0])
    for ax, (model, image) in zip(axes, images.items(), strict=True):
        _panel(ax, image, norm)
        ax.set_title(style.wrap_name(model, 40), fontweight="bold")
    axes[-1].set_xlabel("expert")
    bar = figure.colorbar(axes[0].images[0], ax=axes, pad=0.015, aspect=25, fraction=0.04)
    bar.set_label(label)
    return figure


def no_experts(title: str) -> Figure:
    """A figure that says that there is nothing to draw."""
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.0)
    ax = figure.subplots()
    style.empty_panel(ax, "no model with experts ran this prompt set")
    ax.set(xticks=[], yticks=[])
    return style.finish(figure, title)


def _panel(ax: Axes, image: np.ndarray, norm: Normalize) -> None:
    draw_image(ax, image, norm, COLORMAP)
    ax.set_ylabel("block")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
