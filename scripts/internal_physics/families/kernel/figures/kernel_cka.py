"""How alike the kernels of the models are: CKA between every two."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from internal_physics.families.kernel.figures.shown import empty
from internal_physics.families.kernel.tables import KERNEL_CKA
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image
from internal_physics.tables.read import read_table

TITLE = "Do the models find the same prompts alike?"
_DARK_BELOW = 0.5


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """The one figure of a run."""
    yield "", draw(read_table(inputs["kernel_cka"], KERNEL_CKA), models=models)


def draw(kernel_cka: pd.DataFrame, condition: str = "baseline", *, models: Sequence[str]) -> Figure:
    """Draw CKA of the cosine kernels of every two models as an image with its numbers.

    Args:
        kernel_cka: table `kernel_cka`.
        condition: which condition.
        models: their order.

    Returns:
        A figure with a color scale from 0 to 1. Where a pair has an exact kernel and one from sketches, the one over
        more prompts is shown. Without two kernels, a figure that says so.
    """
    both = (kernel_cka["condition"] == condition) & (kernel_cka["other_condition"] == condition)
    rows = kernel_cka[both & kernel_cka["layer"].isna() & np.isfinite(kernel_cka["debiased_cka"])]
    with style.house_style():
        if rows.empty:
            return empty(TITLE)
        table = np.full((len(models), len(models)), np.nan)
        place = {model: i for i, model in enumerate(models)}
        for row in rows.sort_values("n_prompts", kind="stable").itertuples():
            i, j = place[row.model], place[row.other_model]
            table[i, j] = table[j, i] = row.debiased_cka
        side = 0.75 * len(models) + 1.6
        figure = style.new_figure(min(style.PAGE_WIDTH_INCHES, side + 1.2), min(style.PAGE_WIDTH_INCHES, side))
        ax = figure.add_subplot()
        image = draw_image(ax, table, Normalize(min(0.0, float(np.nanmin(table))), 1), "viridis")
        for i, j in np.argwhere(np.isfinite(table)):
            color = "white" if table[i, j] < _DARK_BELOW else "black"
            ax.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=color, fontsize=8)
        names = [style.wrap_name(model, 14) for model in models]
        ax.set_yticks(range(len(models)), labels=names)
        ax.set_xticks(range(len(models)), labels=names, rotation=45, ha="right")
        figure.colorbar(image, ax=ax, label="debiased CKA of the cosine kernels\n(dimensionless)")
        note = (
            f"Over {_numbers(rows)} that both ran. CKA without diagonals: 1 if the same prompts pull both "
            "in the same direction, about 0 for unrelated kernels, which few prompts can miss by a lot."
        )
        return style.finish(figure, TITLE, [note])


def _numbers(rows: pd.DataFrame) -> str:
    low, high = int(rows["n_prompts"].min()), int(rows["n_prompts"].max())
    return f"{low} prompts" if low == high else f"{low} to {high} prompts"
