"""Share of every layer and kind of map in the kernel: which weights would training on these prompts move?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.kernel.figures.shown import empty, of_model
from internal_physics.families.kernel.tables import KERNEL_SHARES
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.grids import columns_and_blocks
from internal_physics.figures.heatmaps import draw_image
from internal_physics.models.kinds import KINDS
from internal_physics.tables.read import read_table

TITLE = "Share of layers and kinds of maps in the kernel"
NOTE = (
    "Share of the weights of a layer and kind in the sum of the squared gradient norms of all prompts; the shares of a "
    "model add up to 1. Weights outside the blocks are in the titles."
)
_FAINTEST = 1e-4  # shares below have one color


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """The one figure of a run."""
    yield "", draw(read_table(inputs["kernel_shares"], KERNEL_SHARES), models=models)


def draw(kernel_shares: pd.DataFrame, condition: str = "baseline", *, models: Sequence[str]) -> Figure:
    """Draw an image [kind, block] for each model, with one logarithmic color scale.

    Args:
        kernel_shares: table `kernel_shares`.
        condition: which condition.
        models: their order.

    Returns:
        A figure of images. Without a kernel that is split into layers, a figure that says so.
    """
    shown = [rows for model in models if len(rows := of_model(kernel_shares, model, condition))]
    with style.house_style():
        if not shown:
            return empty(TITLE, [NOTE])
        inside = [rows[rows["layer"].between(0, _n_blocks(rows) - 1)] for rows in shown]
        kinds = [kind for kind in KINDS if any(kind in set(rows["kind"]) for rows in inside)]
        n_columns, n_rows = columns_and_blocks(len(shown))
        n_columns = min(2, n_columns)
        n_rows = -(-len(shown) // n_columns)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, (0.8 + 0.17 * len(kinds)) * n_rows + 0.6)
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
        norm = LogNorm(_FAINTEST, max(float(max(rows["share"].max() for rows in inside)), 2 * _FAINTEST))
        for ax, rows, own in zip(axes.flat, shown, inside, strict=False):
            table = own.pivot_table(index="kind", columns="layer", values="share").reindex(kinds)
            image = draw_image(ax, np.maximum(table.to_numpy(dtype=float), _FAINTEST), norm, "viridis")
            ax.set_title(style.literal(_title(rows)), fontweight="bold")
            ax.set_yticks(range(len(kinds)), labels=[kind.replace("_", " ") for kind in kinds])
            ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
            ax.set_xlabel("block")
        for ax in axes.flat[len(shown) :]:
            ax.set_axis_off()
        figure.colorbar(image, ax=axes, location="bottom", aspect=40, label="share of the kernel (dimensionless)")
        return style.finish(figure, TITLE, [NOTE])


def _n_blocks(rows: pd.DataFrame) -> int:
    """Blocks have layers 0 to L − 1; a readout of its own has L."""
    last = int(rows["layer"].max())
    return last if set(rows.loc[rows["layer"] == last, "kind"]) <= {"readout", "other"} else last + 1


def _title(rows: pd.DataFrame) -> str:
    outside = rows[~rows["layer"].between(0, _n_blocks(rows) - 1)].groupby("kind", sort=False)["share"].sum()
    named = ", ".join(f"{kind} {share:.0%}" for kind, share in outside.items())
    return f"{rows['model'].iat[0]}\n{named}"
