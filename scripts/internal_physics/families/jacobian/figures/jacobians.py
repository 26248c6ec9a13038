"""The local linear maps of the blocks along depth: gain, largest stretch, effective rank and log-determinant."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.jacobian.tables import JACOBIANS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.ground.words import plural
from internal_physics.tables.read import read_table

PANELS = {
    "rms_gain": "gain ‖J‖ / √d\n(dimensionless)",
    "singular_value_1": "largest singular value\n(dimensionless)",
    "rank_share": "effective rank / d\n(share of directions)",
    "mean_log_gain_nats": "mean log gain\nln|det J| / d (nats)",
}
NEUTRAL = {"rms_gain": 1.0, "singular_value_1": 1.0, "rank_share": 1.0, "mean_log_gain_nats": 0.0}
NOTE = (
    "J = ∂residual[l+1] / ∂residual[l] at the read position, other tokens held fixed; d: width. Dotted: a block that "
    "changes nothing. Bold: mean over prompts. Thin: one prompt each."
)


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """One figure of the run."""
    yield "", draw(read_table(inputs["jacobians"], JACOBIANS), models=models)


def draw(jacobians: pd.DataFrame, condition: str = "baseline", *, models: Sequence[str] | None = None) -> Figure:
    """Draw four numbers of each block's map against the block, one color per model.

    Args:
        jacobians: table `jacobians`.
        condition: which condition.
        models: their order, which fixes their looks; by name when not given.

    Raises:
        ValueError: columns are missing.
    """
    require_columns(jacobians, list(JACOBIANS.columns))
    rows = jacobians[jacobians["condition"] == condition]
    rows = rows.assign(rank_share=rows["effective_rank"] / rows["width"])
    order = order_models({*rows["model"]}, models)
    shown = [model for model in order if model in set(rows["model"])]
    looks = style.model_styles(order)
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 5.6)
        axes = figure.subplots(2, 2, sharex=True).ravel()
        for ax, quantity in zip(axes, PANELS, strict=True):
            for model in shown:
                _lines(ax, rows[rows["model"] == model], quantity, model, looks[model])
            _dress(ax, quantity, is_low=quantity in list(PANELS)[2:])
        if shown:
            axes[0].legend()
        n_prompts = len(rows[["prompt_set", "prompt"]].drop_duplicates())
        title = f"Local linear maps of the blocks along depth ({plural(n_prompts, 'prompt')}, {condition})"
        return style.finish(figure, title, [NOTE, *_left_out(rows)])


def _lines(ax: Axes, rows: pd.DataFrame, quantity: str, model: str, look: style.ModelStyle) -> None:
    table = rows.pivot(index="layer", columns=["prompt_set", "prompt"], values=quantity).dropna(how="all")
    if table.empty:
        return
    for prompt in table.columns:
        ax.plot(table.index, table[prompt], color=look.color, linewidth=0.5, alpha=0.3, gid="prompt")
    ax.plot(table.index, table.mean(axis=1), **look.line(), label=style.literal(model))


def _dress(ax: Axes, quantity: str, *, is_low: bool) -> None:
    ax.axhline(NEUTRAL[quantity], color="0.4", linewidth=0.8, linestyle=":")
    ax.set_ylabel(PANELS[quantity])
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if quantity == "singular_value_1" and (ax.dataLim.y1 > 30):
        ax.set_yscale("log")
        style.plain_log_labels(ax.yaxis)
    if is_low:
        ax.set_xlabel("block l (0 = first)")


def _left_out(rows: pd.DataFrame) -> list[str]:
    """A sentence on the models whose maps are not wholly known."""
    flagged = rows[rows["status"] != "ok"].groupby(["model", "status"], sort=False).size()
    return [f"{model}, {plural(int(n), 'map')}: {status}." for (model, status), n in flagged.items()]
