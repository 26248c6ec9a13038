"""How the gradient changes from block to block: e_l and c_l along depth, one column per model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.scores.tables import LAYERS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.grids import columns_and_blocks, model_panels
from internal_physics.figures.scales import needs_log
from internal_physics.figures.selection import Selection, count_prompts, left_out_notes, select
from internal_physics.figures.titles import about_set
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet

LABELS = {
    "relative_gradient_change": f"relative gradient change\n$e_l$ = ‖ΔA{style.MINUS}ΔB‖ / ‖ΔB‖\n(dimensionless)",
    "gradient_cosine": "gradient cosine\n$c_l$ = cos(ΔA, ΔB)\n(dimensionless)",
}


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["layers"], LAYERS), models, prompt_sets)


def draw(
    layers: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw e_l and c_l against the block l for every model: prompts faint, their mean bold, ±1 std as a band.

    Args:
        layers: rows (model, condition, prompt_set, prompt, layer, quantity, value, status).
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models, which fixes their looks; by name when not given.

    Returns:
        A figure of two rows of panels (more rows past four models), each quantity on one shared y axis:
        logarithmic for e_l when its values span more than a factor of 30. The std is over prompts (ddof 1)
        and absent for one prompt. Rows that are not ok are left out and named beneath.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    wanted = layers[layers["quantity"].isin(list(LABELS))]
    chosen = select(wanted, prompt_set, condition, values=["value"], models=models)
    looks = style.model_styles(chosen.models)
    columns, blocks = columns_and_blocks(len(chosen.models))
    log = needs_log(_values(chosen.usable, "relative_gradient_change"))
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES if columns > 1 else 0.65 * style.PAGE_WIDTH_INCHES
        figure = style.new_figure(width, 3.3 * blocks)
        panels = model_panels(figure, figure.add_gridspec(2 * blocks, columns), len(chosen.models), 2)
        for model, axes in zip(chosen.models, panels, strict=True):
            rows = chosen.usable[chosen.usable["model"] == model]
            for ax, quantity in zip(axes, LABELS, strict=True):
                _panel(ax, rows[rows["quantity"] == quantity], looks[model])
                _dress(ax, model, quantity)
        if log:
            changes = panels[0][0]
            changes.set_yscale("log")
            style.plain_log_labels(changes.yaxis)
        return style.finish(figure, _title(chosen, prompt_set, condition), _notes(chosen, log))


def _values(rows: pd.DataFrame, quantity: str) -> np.ndarray:
    return rows.loc[rows["quantity"] == quantity, "value"].to_numpy(dtype=float)


def _panel(ax: Axes, rows: pd.DataFrame, look: style.ModelStyle) -> None:
    if rows.empty:
        style.empty_panel(ax)
        return
    table = rows.pivot(index="layer", columns="prompt", values="value").sort_index()
    table = table.reindex(range(int(table.index.min()), int(table.index.max()) + 1))
    layer = table.index.to_numpy()
    for prompt in table.columns:
        ax.plot(layer, table[prompt], color=look.color, linewidth=0.5, alpha=0.3, gid="prompt")
    mean, std = table.mean(axis=1), table.std(axis=1, ddof=1)
    lower, upper = mean - std, mean + std
    if rows["quantity"].iloc[0] == "gradient_cosine":  # no cosine lies outside, so neither does the band
        lower, upper = lower.clip(lower=-1.0), upper.clip(upper=1.0)
    ax.fill_between(layer, lower, upper, color=look.color, alpha=0.25, linewidth=0, gid="band")
    ax.plot(
        layer,
        mean,
        color=look.color,
        marker=look.marker,
        linewidth=1.6,
        markersize=4,
        markevery=_every(len(layer)),
        gid="mean",
    )


def _every(n_layers: int) -> int:
    """Space out markers so that about eight of them fit a narrow panel."""
    return max(1, n_layers // 8)


def _dress(ax: Axes, model: str, quantity: str) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    if quantity == "relative_gradient_change":
        ax.set_title(style.wrap_name(model), fontweight="bold")
    else:
        ax.set_xlabel("block l (0 = first)")
    if style.column_of(ax) == 0:
        ax.set_ylabel(LABELS[quantity])


def _title(chosen: Selection, prompt_set: str, condition: str) -> str:
    about = about_set(prompt_set, count_prompts(chosen.usable), condition)
    return f"Change of the gradient across each block on {about}"


def _notes(chosen: Selection, log: bool) -> list[str]:
    notes = [
        "ΔA = ∂f/∂residual[l], where the residual stream enters block l; ΔB = ∂f/∂residual[l+1], where it leaves; f is "
        "the loss, or what record.target names. Thin: one prompt each. Bold: mean over prompts. Band: ±1 standard "
        "deviation over prompts."
    ]
    if log:
        notes += _log_notes(chosen.usable[chosen.usable["quantity"] == "relative_gradient_change"])
    return notes + left_out_notes(chosen.left_out)


def _log_notes(changes: pd.DataFrame) -> list[str]:
    """What a log axis of e_l cannot show: zeros, and a band that reaches below 0."""
    notes = []
    if zeros := int((changes["value"] <= 0).sum()):
        notes.append(f"{plural(zeros, 'value')} of e_l equal to 0 cannot be shown on a log axis.")
    spread = changes.groupby(["model", "layer"])["value"].agg(["mean", "std"])
    if (spread["mean"] <= spread["std"]).any():
        notes.append("Where the standard deviation of e_l exceeds its mean, the band runs to the bottom.")
    return notes
