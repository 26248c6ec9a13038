"""Shared by the figures of the weights: selection of rows, looks of the kinds of maps, names of the quantities."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from internal_physics.figures import style
from internal_physics.figures.grids import columns_and_blocks, model_panels
from internal_physics.figures.selection import order_models, rows_of, split
from internal_physics.models.kinds import KINDS

QUANTITIES = ("temperature", "entropy_nats", "energy", "free_energy")
LABELS = {
    "temperature": "temperature\nT = ‖W‖ / ‖G‖\n(weight² / nat)\nhigh: hardly pulled",
    "entropy_nats": f"entropy\nS = {style.MINUS}Σ p ln p\n(nats)",
    "energy": "energy\nE = Σσ² / Σσ\n(weight)",
    "free_energy": f"free energy\nF = E {style.MINUS} T·S",
}
NEGATED = f"minus free energy\n{style.MINUS}F = T·S {style.MINUS} E"
HOT = "High temperature: prompts hardly pull at this weight. Low temperature: they pull strongly."
OUTSIDE = "Maps outside the blocks (embeddings, readout) have no depth and are not drawn."
OUTSIDE_KINDS = ("embedding", "position", "segment", "readout")
LEGEND_COLUMNS = 7


def select_weights(
    table: pd.DataFrame,
    prompt_set: str,
    condition: str,
    *,
    values: Sequence[str],
    models: Sequence[str] | None,
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Rows of the maps inside the blocks, separately those that cannot be shown, and the models in order.

    A row with a finite value and a status is shown: a zero gradient has a temperature by definition.

    Raises:
        ValueError: columns are missing, or there are no rows for the prompt set and condition.
    """
    rows = rows_of(table, prompt_set, condition, columns=["model", "layer", "kind", "status", *values])
    usable, left_out = split(in_blocks(rows), values, show_flagged=True)
    return usable, left_out, order_models(table["model"], models)


def in_blocks(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the kinds of maps that blocks have."""
    return rows[(rows["layer"] >= 0) & ~rows["kind"].isin(OUTSIDE_KINDS)]


def kinds_of(rows: pd.DataFrame) -> list[str]:
    """The kinds present, in the order of a block."""
    return [kind for kind in KINDS if kind in set(rows["kind"])]


def kind_looks(kinds: Sequence[str]) -> dict[str, style.ModelStyle]:
    """Color, marker and line of each kind, in every figure of a run alike."""
    return style.model_styles(kinds)


def kind_label(kind: str) -> str:
    """A kind as words: 'fused qkv'."""
    return kind.replace("_", " ")


def depth_table(rows: pd.DataFrame, quantity: str, columns: str = "kind") -> pd.DataFrame:
    """Mean over prompts, and over the weights of a kind in a block (experts, say), by layer: [layer, kind]."""
    return rows.pivot_table(index="layer", columns=columns, values=quantity, aggfunc="mean").sort_index()


def legend_inches(n_entries: int) -> float:
    """Height of the strip that `grid_of_models` keeps for the legend."""
    return 0.12 + 0.18 * _legend_rows(n_entries)


def _legend_rows(n_entries: int) -> int:
    return max(1, -(-n_entries // LEGEND_COLUMNS))


def kind_legend(ax: Axes, looks: dict[str, style.ModelStyle], extra: Iterable[Line2D] = ()) -> None:
    """One legend of the kinds, and of other marks, in a separate strip."""
    handles = [
        Line2D([], [], color=look.color, marker=look.marker, markersize=4, linewidth=1.0, label=kind_label(kind))
        for kind, look in looks.items()
    ]
    ax.set_axis_off()
    handles += list(extra)
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.0,
        ncols=max(1, -(-len(handles) // _legend_rows(len(handles)))),
        columnspacing=1.4,
        handlelength=1.6,
    )


def grid_of_models(
    n_models: int, n_rows: int, panel_inches: float, n_entries: int
) -> tuple[Figure, Axes, list[list[Axes]]]:
    """A figure with a strip for the legend and axes [model][row].

    A column per model, at most four side by side; a row's axes share y over all models.
    """
    columns, blocks = columns_and_blocks(n_models)
    strip = legend_inches(n_entries)
    height = strip + panel_inches * n_rows * blocks
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, height)
    ratios = [strip / panel_inches] + [1.0] * (n_rows * blocks)
    grid = figure.add_gridspec(1 + n_rows * blocks, columns, height_ratios=ratios)
    panels = model_panels(figure, grid, n_models, n_rows, first_row=1)
    return figure, figure.add_subplot(grid[0, :]), panels


def log_values(values: np.ndarray) -> bool:
    """Whether all finite values are above 0, so that a log axis shows them all."""
    finite = values[np.isfinite(values)]
    return finite.size > 0 and bool((finite > 0).all())
