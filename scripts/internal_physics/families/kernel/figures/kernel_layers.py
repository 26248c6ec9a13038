"""The kernels of single layers of one model: how alike they are, and how far they follow the kinds of prompts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.kernel.figures.shown import about, empty, of_model, same_kernel
from internal_physics.families.kernel.tables import KERNEL_CKA, KERNEL_KINDS, KERNEL_SHARES
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image
from internal_physics.ground.status import OK
from internal_physics.tables.read import read_table

COLOR = style.MODEL_COLORS[0]
LEVEL = 0.05  # of the adjusted p-values
NOTE = (
    f"CKA without diagonals: 1 for kernels that are alike, about 0 for unrelated ones. Layer {style.MINUS}1 is the "
    "embedding, the last one the readout, if it has weights of its own."
)


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """One figure for each model."""
    cka, kinds, shares = (read_table(inputs[table.name], table) for table in (KERNEL_CKA, KERNEL_KINDS, KERNEL_SHARES))
    for model in models:
        yield model, draw(cka, kinds, shares, model)


def draw(
    kernel_cka: pd.DataFrame,
    kernel_kinds: pd.DataFrame,
    kernel_shares: pd.DataFrame,
    model: str,
    *,
    condition: str = "baseline",
) -> Figure:
    """Draw CKA between the kernels of every two layers as an image; beside it, along depth, mean cosine and CKA of each
    layer's kernel with the kinds of prompts.

    Args:
        kernel_cka: table `kernel_cka`.
        kernel_kinds: table `kernel_kinds`.
        kernel_shares: table `kernel_shares`, for the number of layers.
        model: which model.
        condition: which condition.

    Returns:
        A figure of two panels. Without a kernel that is split into layers, a figure that says so.
    """
    title = f"Layers of the kernel of {model}"
    of_kinds = of_model(kernel_kinds, model, condition)
    shares = same_kernel(kernel_shares, of_kinds)
    between = same_kernel(kernel_cka, of_kinds)
    with style.house_style():
        if shares.empty:
            return empty(title)
        layers = sorted(set(shares["layer"]))
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 3.2)
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _image(figure, left, between[between["layer"].notna() & (between["other_model"] == model)], layers)
        _alignment(right, of_kinds[of_kinds["layer"].notna()])
        n_prompts = int(of_kinds["n_prompts"].max()) if len(of_kinds) else 0
        return style.finish(figure, f"Layers of the kernel of {about(of_kinds, n_prompts)}", [NOTE])


def _image(figure: Figure, ax: Axes, rows: pd.DataFrame, layers: Sequence[int]) -> None:
    place = {layer: i for i, layer in enumerate(layers)}
    table = np.full((len(layers), len(layers)), np.nan)
    for first, second, cka in zip(rows["layer"], rows["other_layer"], rows["debiased_cka"], strict=True):
        i, j = place[int(first)], place[int(second)]
        table[i, j] = table[j, i] = cka
    image = draw_image(ax, table, Normalize(0, 1), "viridis")
    step = max(1, len(layers) // 6)
    ticks = list(range(0, len(layers), step))
    labels = [str(layers[i]).replace("-", style.MINUS) for i in ticks]
    ax.set_xticks(ticks, labels=labels)
    ax.set_yticks(ticks, labels=labels)
    ax.set(xlabel="layer", ylabel="layer")
    ax.set_title("Which layers see the prompts alike?", fontweight="bold")
    figure.colorbar(image, ax=ax, label="debiased CKA of two layers\n(dimensionless)")


def _alignment(ax: Axes, rows: pd.DataFrame) -> None:
    shown = rows[rows["status"].eq(OK) | rows["debiased_cka"].notna()].sort_values("layer")
    ax.set_title("Does a layer sort by kind?", fontweight="bold")
    if shown["debiased_cka"].notna().sum() == 0:
        why = rows["status"].iat[0] if len(rows) else "no layers"
        style.empty_panel(ax, why)
        ax.set(xticks=[], yticks=[])
        return
    ax.plot(shown["layer"], shown["debiased_cka"], color=COLOR, linewidth=1)
    is_sure = shown["p_adjusted"] < LEVEL
    for chosen, face, label in ((is_sure, COLOR, f"adjusted p < {LEVEL}"), (~is_sure, "white", "not")):
        points = shown[chosen]
        if len(points):
            look: dict[str, Any] = {"color": COLOR, "markerfacecolor": face, "markersize": 4, "label": label}
            ax.plot(points["layer"], points["debiased_cka"], "o", **look)
    ax.axhline(0, color="#444444", linewidth=0.8, zorder=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.set(xlabel="layer", ylabel="debiased CKA with the kinds\n(dimensionless)")
    ax.legend()
