"""Cosine kernel between the prompts of one model, sorted by kind of prompt."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from internal_physics.families.kernel.figures.shown import NO_KIND, about, empty, kinds_in_order, of_model, same_kernel
from internal_physics.families.kernel.tables import KERNEL, KERNEL_MAP
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image
from internal_physics.tables.read import read_table

COLORMAP = "RdBu_r"
STRONGEST = 0.99  # the hundredth of the pairs beyond it has the colors of the ends
MOST_NAMES = 20  # of prompts beside the rows, in place of their kinds
PAIR = ["prompt_set", "prompt"]
NOTE = (
    "Cosine between the gradients of two prompts, over all weights. The diagonal is 1 and left blank; "
    "1 % of the pairs may be stronger than the ends of the scale."
)


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """One figure for each model."""
    kernel, prompts = read_table(inputs["kernel"], KERNEL), read_table(inputs["kernel_map"], KERNEL_MAP)
    for model in models:
        yield model, draw(kernel, prompts, model)


def draw(kernel: pd.DataFrame, kernel_map: pd.DataFrame, model: str, condition: str = "baseline") -> Figure:
    """Draw the cosines of all pairs of prompts as an image, prompts of one kind side by side.

    Rows have the names of up to 20 prompts, and those of their kinds beyond.

    Args:
        kernel: table `kernel`.
        kernel_map: table `kernel_map`, for the kinds of prompts.
        model: which model.
        condition: which condition.

    Returns:
        A figure with a diverging color scale that is symmetric around 0; one pair in a
        hundred is beyond its ends. Without a kernel, or with more prompts than table `kernel` lists, a figure that says
        so.
    """
    title = f"Which prompts pull {model} in the same direction?"
    rows = of_model(kernel, model, condition)
    places = same_kernel(kernel_map, rows).assign(kind=lambda table: table["kind"].fillna(NO_KIND))
    with style.house_style():
        if places.empty:
            return empty(title)
        kinds = kinds_in_order(places["kind"].replace(NO_KIND, None))
        order = places.iloc[np.argsort(places["kind"].map(kinds.index), kind="stable")]
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 0.78 * style.PAGE_WIDTH_INCHES)
        ax = figure.add_subplot()
        table = _matrix(rows, list(order[PAIR].itertuples(index=False, name=None)))
        end = float(np.nanquantile(np.abs(table), STRONGEST)) if np.isfinite(table).any() else 1.0
        image = draw_image(ax, table, Normalize(-end, end), COLORMAP)
        ax.set_aspect("equal")
        _mark_kinds(ax, order["kind"].to_numpy(), kinds)
        if len(order) <= MOST_NAMES:
            ax.set_yticks(range(len(order)), labels=[style.literal(name) for name in order["prompt"]])
        label = "cosine of two gradients (dimensionless)"
        figure.colorbar(image, ax=ax, location="right", shrink=0.7, extend="both", label=label)
        return style.finish(figure, f"Kernel between the prompts of {about(rows, len(order))}", [NOTE])


def _matrix(rows: pd.DataFrame, order: Sequence[tuple[str, str]]) -> np.ndarray:
    """[N, N] cosines in this order; NaN on the diagonal."""
    place = {name: i for i, name in enumerate(order)}
    table = np.full((len(order), len(order)), np.nan)
    first, second = (
        [place.get(name, -1) for name in zip(rows[columns[0]], rows[columns[1]], strict=True)]
        for columns in (PAIR, ["other_prompt_set", "other_prompt"])
    )
    for i, j, cosine in zip(first, second, rows["cosine"], strict=True):
        if i >= 0 and j >= 0 and i != j:
            table[i, j] = table[j, i] = cosine
    return table


def _mark_kinds(ax: Axes, kinds: np.ndarray, order: Sequence[str]) -> None:
    """The name of each kind at the middle of its prompts, and lines between the kinds."""
    sizes = [int((kinds == kind).sum()) for kind in order]
    ends = np.cumsum(sizes)
    middles = ends - np.array(sizes) / 2 - 0.5
    ax.set_yticks(middles, labels=[style.literal(f"{kind} ({n})") for kind, n in zip(order, sizes, strict=True)])
    ax.set_xticks(middles, labels=[style.literal(kind) for kind in order], rotation=45, ha="right")
    ax.tick_params(axis="x", length=0)
    for end in ends[:-1] - 0.5:
        ax.axhline(end, color="black", linewidth=0.6)
        ax.axvline(end, color="black", linewidth=0.6)
