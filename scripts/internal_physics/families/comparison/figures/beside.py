"""Shared by the figures of conditions: order and names of conditions, labels of quantities, a legend of models."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import MaxNLocator

from internal_physics.families.gradient_flow.quantities import GRADIENT_COSINE, GRADIENT_NORM, RELATIVE_CHANGE
from internal_physics.families.information.quantities import ALONG_DEPTH as OF_INFORMATION
from internal_physics.families.residual_gain.quantities import QUANTITIES as RESIDUAL_GAIN
from internal_physics.figures import style
from internal_physics.ground.names import BASELINE
from internal_physics.tables.table import Quantity

LEGEND_COLUMNS = 4
LEGEND_ROW_INCHES = 0.28
ROW_INCHES = 1.7
WIDTH_OF_LABELS = 17
# A figure shows one variant of the residual's norm and gain: the whole prompt's.
OF_LAYERS = (
    *(RELATIVE_CHANGE, GRADIENT_COSINE, GRADIENT_NORM),
    *(quantity for quantity in RESIDUAL_GAIN if quantity.name.endswith("_whole")),
)
ALONG_DEPTH = {  # by table
    "layers": tuple(quantity.name for quantity in OF_LAYERS),
    "information": tuple(quantity.name for quantity in OF_INFORMATION),
}
OF_PROMPTS = (
    *(Quantity("ec", label="EC"), Quantity("isc", label="ISC", unit="1 / residual unit")),
    *(Quantity("isg", label="ISG"), Quantity("isa", label="ISA")),
    Quantity("loss_nats", label="loss", unit="nats per predicted token"),
)
QUANTITIES = {quantity.name: quantity for quantity in (*OF_LAYERS, *OF_INFORMATION, *OF_PROMPTS)}


def label(quantity: str, width: int = WIDTH_OF_LABELS) -> str:
    """Axis label of a quantity; its own name where it is not one of `QUANTITIES`."""
    known = QUANTITIES.get(quantity)
    return known.axis_label(width) if known else style.literal(quantity.replace("_", " "))


def may_be_log(quantity: str) -> bool:
    """Whether the axis of a quantity may be logarithmic."""
    return quantity in QUANTITIES and QUANTITIES[quantity].may_be_log


def steered_conditions(table: pd.DataFrame, prompt_set: str) -> list[str]:
    """The conditions of a prompt set other than the baseline, as they first appear.

    Raises:
        ValueError: where there is none.
    """
    rows = table[table["prompt_set"] == prompt_set]
    found = [name for name in rows["condition"].drop_duplicates() if name != BASELINE]
    if not found:
        raise ValueError(f"no condition but the baseline for prompt set {prompt_set!r}")
    return found


def quantities_of(rows: pd.DataFrame) -> list[str]:
    """The quantities in `QUANTITIES`, in its order (the tables have more variants); all, if none is in it."""
    present = list(rows["quantity"].drop_duplicates())
    return [name for name in QUANTITIES if name in present] or present


def legend_inches(n_models: int) -> float:
    """Height of the legend of models."""
    return LEGEND_ROW_INCHES * -(-n_models // LEGEND_COLUMNS)


def panel_grid(n_rows: int, n_columns: int, n_models: int, width_inches: float) -> tuple[Figure, GridSpec]:
    """An empty figure with rows of panels and, as its last row, room for the legend of models."""
    inches = [ROW_INCHES] * n_rows + [legend_inches(n_models)]
    figure = style.new_figure(width_inches, sum(inches))
    return figure, figure.add_gridspec(len(inches), n_columns, height_ratios=inches)


def row_of_panels(figure: Figure, grid: GridSpec, row: int, n_panels: int) -> list[Axes]:
    """Panels side by side that share one y axis."""
    panels = [figure.add_subplot(grid[row, 0])]
    return panels + [figure.add_subplot(grid[row, c], sharey=panels[0]) for c in range(1, n_panels)]


def blocks_of(names: Sequence[str], size: int) -> list[Sequence[str]]:
    """The names cut into blocks of at most `size`."""
    return [names[i : i + size] for i in range(0, len(names), size)]


def draw_legend(ax: Axes, looks: Mapping[str, style.ModelStyle]) -> None:
    """Fill a separate axes with one entry per model."""
    ax.set_axis_off()
    handles = [ax.plot([], [], **looks[model].line(), label=style.wrap_name(model, 18))[0] for model in looks]
    ax.legend(handles=handles, loc="center", ncols=LEGEND_COLUMNS, handlelength=3.2, columnspacing=1.5)


def line(ax: Axes, rows: pd.DataFrame, look: style.ModelStyle, bands: Sequence[str]) -> None:
    """A line of `value` over `layer` with a band between two columns, gaps where a layer is missing."""
    table = rows.set_index("layer").sort_index()
    table = table.reindex(range(int(table.index.min()), int(table.index.max()) + 1))
    layer = table.index.to_numpy()
    low, high = (table[band].to_numpy(dtype=float) for band in bands)
    ax.fill_between(layer, low, high, color=look.color, alpha=0.2, linewidth=0, gid="band")
    every = max(1, len(layer) // 8)
    ax.plot(layer, table["value"].to_numpy(dtype=float), **look.line(), linewidth=1.4, markersize=4, markevery=every)


def dress(ax: Axes, *, title: str = "", ylabel: str = "", xlabel: str = "") -> None:
    """Set the labels of a panel; without a y label, the panel shares the numbers of the one at its left."""
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    ax.set_title(title, fontweight="bold")
    ax.set_xlabel(xlabel)
    if ylabel:
        ax.set_ylabel(ylabel)
    else:
        ax.tick_params(which="both", labelleft=False)


def spread(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean over prompts by layer, with `low` and `high` one standard deviation (ddof 1) beside it."""
    found = rows.groupby("layer")["value"].agg(["mean", "std"]).reset_index()
    std = found["std"].fillna(0.0)
    return found.assign(value=found["mean"], low=found["mean"] - std, high=found["mean"] + std)


def finite(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows whose columns are all finite numbers."""
    return rows[np.isfinite(rows[list(columns)].to_numpy(dtype=float)).all(axis=1)]
