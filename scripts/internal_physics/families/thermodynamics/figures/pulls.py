"""What a prompt set pulls at: share of the squared gradient by layer and kind of map, an image per model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.thermodynamics.figures import weights
from internal_physics.families.thermodynamics.tables import GRADIENT_SHARE, PULLS_MEANS, TOP
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image
from internal_physics.figures.selection import left_out_notes, order_models, require_columns, rows_of, split
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

COLORMAP, LOWEST_SHARE = "magma", 1e-4  # smaller shares have the darkest color
_ROW_INCHES, _MODEL_INCHES = 0.19, 0.66


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    table = TableBySet(inputs["pulls_means"], PULLS_MEANS, pc.field("measure") == GRADIENT_SHARE)
    return by_set(draw, table, models, prompt_sets)


def draw(
    pulls_means: pd.DataFrame, prompt_set: str, condition: str = "baseline", *, models: Sequence[str] | None = None
) -> Figure:
    """Draw the mean share of the squared gradient, [kind, block], with the ranks of the strongest ten weights.

    Args:
        pulls_means: table `pulls_means`; its rows of gradient_share.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models from top to bottom; by name when not given.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    require_columns(pulls_means, ["measure"])
    shares = pulls_means[pulls_means["measure"] == GRADIENT_SHARE]
    rows = rows_of(shares, prompt_set, condition, columns=["model", "mean", "rank", "n_prompts", "status"])
    usable, left_out = split(rows, ["mean"], show_flagged=True)
    order = order_models(rows["model"], models)
    inside = weights.in_blocks(usable)
    kinds = weights.kinds_of(inside)
    n_layers = int(inside["layer"].max()) + 1 if len(inside) else 1
    with style.house_style():
        height = (_MODEL_INCHES + _ROW_INCHES * max(1, len(kinds))) * len(order) + 0.6
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, height)
        axes = list(figure.subplots(len(order), 1, squeeze=False, sharex=True)[:, 0])
        norm = _norm(inside["mean"])
        for ax, model in zip(axes, order, strict=True):
            _panel(ax, inside[inside["model"] == model], kinds, n_layers, norm)
            ax.set_title(style.wrap_name(model, 40) + _outside(usable[usable["model"] == model]), fontweight="bold")
        _dress(figure, axes, kinds)
        about = about_set(prompt_set, int(rows["n_prompts"].max()), condition)
        title = f"Which weights are pulled at on {about}"
        return style.finish(figure, title, [_NOTE, *left_out_notes(left_out, "weight", "parameter")])


_NOTE = (
    "Share of a weight in the squared norm of the whole gradient, ‖G‖² / Σ‖G‖², mean over prompts. Bright: a gradient "
    f"step changes this weight most. Numbers: the {TOP} weights with the largest share, those outside the blocks "
    f"counted. Below {LOWEST_SHARE * 100:g} % all are dark; hatched grey: no such map, or no value."
)


def share_table(rows: pd.DataFrame, kinds: Sequence[str], n_layers: int) -> np.ndarray:
    """[kind, block] mean share, summed over the maps of one kind in a block; NaN where there is none."""
    sums = rows.groupby(["layer", "kind"])["mean"].sum().unstack("kind")
    return sums.reindex(index=range(n_layers), columns=list(kinds)).to_numpy(dtype=float).T


def _panel(ax: Axes, rows: pd.DataFrame, kinds: Sequence[str], n_layers: int, norm: Normalize) -> None:
    if rows.empty:
        style.empty_panel(ax)
        return
    table = share_table(rows, kinds, n_layers)
    draw_image(ax, np.where(table < LOWEST_SHARE, LOWEST_SHARE, table), norm, COLORMAP)
    for weight in rows[rows["rank"] <= TOP].sort_values("rank").drop_duplicates(["layer", "kind"]).itertuples():
        row = list(kinds).index(weight.kind)
        color = "black" if norm(table[row, weight.layer]) > 0.6 else "white"
        text = ax.text(weight.layer, row, str(weight.rank), ha="center", va="center", fontsize=8, color=color)
        text.set(gid="rank", zorder=2)
    ax.set_yticks(range(len(kinds)), labels=[weights.kind_label(kind) for kind in kinds])


def _outside(rows: pd.DataFrame) -> str:
    """A second line of a title: 'outside the blocks: embedding 12 % (rank 1)'."""
    outside = rows[~rows.index.isin(weights.in_blocks(rows).index)].sort_values("mean", ascending=False)
    parts = [
        f"{weights.kind_label(row.kind)} {100 * row.mean:.1f} % (rank {row.rank})"
        for row in outside.itertuples(name="W")
    ]
    return f"\noutside the blocks: {', '.join(parts)}" if parts else ""


def _norm(shares: pd.Series) -> Normalize:
    largest = float(shares.max()) if len(shares) else 1.0
    return LogNorm(LOWEST_SHARE, max(largest, 10 * LOWEST_SHARE))


def _dress(figure: Figure, axes: Sequence[Axes], kinds: Sequence[str]) -> None:
    axes[-1].set_xlabel("block (0 = first)")
    axes[-1].xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    images = [ax.images[0] for ax in axes if ax.images]
    if images:
        bar = figure.colorbar(images[0], ax=list(axes), pad=0.015, aspect=25, fraction=0.04, extend="min")
        bar.set_label("share of the squared gradient")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("0.0001", "≤ 0.0001"))
