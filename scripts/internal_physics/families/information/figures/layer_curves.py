"""The panel that information figures are made of: prompts faint, their mean black, a band of one standard deviation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from internal_physics.families.information.attention_statuses import NO_ATTENTION
from internal_physics.figures import style
from internal_physics.figures.scales import needs_log
from internal_physics.figures.selection import left_out_notes
from internal_physics.tables.table import Quantity

LOG_FROM_RATIO = 20.0


NOTES = {
    "attention_entropy_nats": "Attention entropy: mean over heads, at block l; a sink is an outcome of its own.",
    "surprisal_nats": "Surprisal: of the answer at the [MASK]; for causal models of the next token, mean over the "
    "positions that have one.",
}


def is_log(quantity: Quantity, values: np.ndarray) -> bool:
    """Whether to draw these values on a logarithmic axis: all above 0, and over a factor of more than 20."""
    return quantity.may_be_log and bool((values > 0).all()) and needs_log(values, LOG_FROM_RATIO)


def notes(quantities: Sequence[Quantity]) -> list[str]:
    """Notes that explain these quantities to a reader."""
    own = " ".join(NOTES[quantity.name] for quantity in quantities if quantity.name in NOTES)
    return [
        f"At the read position: the last token, or the [MASK]. {own}".strip(),
        "Thin: one prompt each. Black: mean over prompts; dots where layers between have no value. Band: ±1 standard "
        "deviation over prompts.",
    ]


def left_out_here(rows: pd.DataFrame) -> list[str]:
    """What is left out: prompts, and the blocks of a hybrid that have no attention, counted as blocks."""
    bare = rows["status"] == NO_ATTENTION
    return [*left_out_notes(rows[~bare]), *left_out_notes(rows[bare], "block", "layer")]


def draw_panel(ax: Axes, rows: pd.DataFrame, quantity: Quantity, color: str) -> None:
    """Draw the usable rows of one model, prompt set and quantity; says so where there is none."""
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    if rows.empty:
        style.empty_panel(ax)
        return
    table = rows.pivot(index="layer", columns="prompt", values="value").sort_index()
    layer = table.index.to_numpy()
    for prompt in table.columns:
        ax.plot(layer, table[prompt], color=color, linewidth=0.4, alpha=0.35, gid="prompt")
    mean, std = table.mean(axis=1), table.std(axis=1, ddof=1)
    lower = np.maximum(mean - std, max(quantity.low, float(np.nanmin(table))))  # prompts bound it: a log axis has no 0
    ax.fill_between(layer, lower, mean + std, color="black", alpha=0.15, linewidth=0, gid="band")
    marks = "o" if len(layer) <= layer[-1] - layer[0] or len(layer) == 1 else ""  # layers between have no value
    ax.plot(layer, mean, color="black", linewidth=1.4, marker=marks, markersize=3, gid="mean")


def make_log(ax: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers and few enough of them for a small panel."""
    ax.set_yscale("log")
    style.plain_log_labels(ax.yaxis)
    low, high = ax.get_ylim()
    decades = [10.0**k for k in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)]
    inside = [value for value in decades if low <= value <= high]
    if len(inside) >= 2:
        ax.set_yticks(inside[:: max(1, -(-len(inside) // 4))])
        ax.minorticks_off()
