"""The panel that information figures are made of: prompts faint, their mean black, a band of one standard deviation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.scales import needs_log

LOG_FROM_RATIO = 20.0


@dataclass(frozen=True)
class Curve:
    """One quantity along depth.

    Attributes:
        quantity: of the table `information`.
        name: plain words.
        unit: of the axis.
        lowest: no value lies below it, so neither does the band.
        may_be_log: whether its axis is logarithmic where its values span more than a factor of 20, all above 0.
        note: what a reader has to know of it.
    """

    quantity: str
    name: str
    unit: str
    lowest: float = 0.0
    may_be_log: bool = False
    note: str = ""

    def label(self, log: bool = False) -> str:
        """Of the y axis."""
        return f"{self.name}\n({self.unit}{', log' if log else ''})"

    def is_log(self, values: np.ndarray) -> bool:
        """Whether to draw these values on a logarithmic axis."""
        return self.may_be_log and bool((values > 0).all()) and needs_log(values, LOG_FROM_RATIO)


CURVES = (
    Curve("entropy_nats", "entropy", "nats"),
    Curve("perplexity", "perplexity", "tokens", lowest=1.0, may_be_log=True),
    Curve("margin", "margin of the\ntop two", "logits"),
    Curve("kl_uniform_nats", "KL from\nuniform", "nats"),
    Curve(
        "attention_entropy_nats",
        "attention\nentropy",
        "nats",
        note="Attention entropy: mean over heads, at block l; a sink is an outcome of its own.",
    ),
    Curve(
        "surprisal_nats",
        "surprisal",
        "nats",
        may_be_log=True,
        note="Surprisal: of the answer at the [MASK]; for causal models of the next token, mean over the positions "
        "that have one.",
    ),
)


def notes(curves: Sequence[Curve]) -> list[str]:
    """What a reader has to know of these curves."""
    own = " ".join(curve.note for curve in curves if curve.note)
    return [
        f"At the read position: the last token, or the [MASK]. {own}".strip(),
        "Thin: one prompt each. Black: mean over prompts. Band: ±1 standard deviation over prompts.",
    ]


def draw_panel(ax: Axes, rows: pd.DataFrame, curve: Curve, color: str) -> None:
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
    lower = np.maximum(mean - std, max(curve.lowest, float(np.nanmin(table))))  # prompts bound it: a log axis has no 0
    ax.fill_between(layer, lower, mean + std, color="black", alpha=0.15, linewidth=0, gid="band")
    ax.plot(layer, mean, color="black", linewidth=1.4, gid="mean")


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
