"""One information quantity along depth: one row per prompt set and one column per model."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.information.figures.layer_curves import (
    draw_panel,
    is_log,
    left_out_here,
    make_log,
    notes,
)
from internal_physics.families.information.quantities import ALONG_DEPTH
from internal_physics.families.information.tables import INFORMATION
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.grids import columns_and_blocks, model_panels
from internal_physics.figures.selection import order_models, require_columns, split
from internal_physics.figures.titles import in_condition
from internal_physics.tables.read import read_table
from internal_physics.tables.table import Quantity

_ROW_INCHES = 1.3


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str], quantity: str) -> Figures:
    """One figure of the run."""
    rows = read_table(inputs["information"], INFORMATION, [("quantity", "=", quantity)])
    yield "", draw(rows, quantity, models=models, prompt_sets=prompt_sets)


def draw(
    information: pd.DataFrame,
    quantity: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
    prompt_sets: Sequence[str] | None = None,
) -> Figure:
    """Draw one quantity of every model on every prompt set, all panels on one y axis.

    Args:
        information: table `information`.
        quantity: one of `ALONG_DEPTH`.
        condition: which condition.
        models: their order, which fixes their looks; by name when not given.
        prompt_sets: their order from top to bottom; as they come when not given.

    Raises:
        ValueError: columns are missing, or the quantity is unknown.
    """
    require_columns(information, ["model", "condition", "prompt_set", "quantity", "value", "status"])
    shown = next((known for known in ALONG_DEPTH if known.name == quantity), None)
    if shown is None:
        raise ValueError(f"unknown quantity {quantity!r}; known are {[known.name for known in ALONG_DEPTH]}")
    rows = information[(information["quantity"] == quantity) & (information["condition"] == condition)]
    usable, left_out = split(rows, ["value"])
    models = order_models(information["model"], models)
    prompt_sets = list(prompt_sets or information["prompt_set"].unique())
    looks, (columns, blocks) = style.model_styles(models), columns_and_blocks(len(models))
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES if columns > 1 else 0.65 * style.PAGE_WIDTH_INCHES
        figure = style.new_figure(width, (_ROW_INCHES * len(prompt_sets) + 0.3) * blocks)
        grid = figure.add_gridspec(len(prompt_sets) * blocks, columns)
        panels = model_panels(figure, grid, len(models), len(prompt_sets), one_scale=True)
        for model, axes in zip(models, panels, strict=True):
            axes[0].set_title(style.wrap_name(model), fontweight="bold")
            for ax, prompt_set in zip(axes, prompt_sets, strict=True):
                here = usable[(usable["model"] == model) & (usable["prompt_set"] == prompt_set)]
                draw_panel(ax, here, shown, looks[model].color)
                _dress(ax, prompt_set, is_last=ax is axes[-1])
        if log := is_log(shown, usable["value"].to_numpy(dtype=float)):
            make_log(panels[0][0])
        return style.finish(figure, _title(shown, condition, log), [*notes([shown]), *left_out_here(left_out)])


def _dress(ax: Axes, prompt_set: str, *, is_last: bool) -> None:
    if is_last:
        ax.set_xlabel("residual l (0 = embedding)")
    else:
        ax.tick_params(labelbottom=False)
    if style.column_of(ax) == 0:
        ax.set_ylabel(style.wrap_name(prompt_set.replace("_", " "), 14))


def _title(quantity: Quantity, condition: str, log: bool) -> str:
    label = quantity.axis_label(log=log).replace("\n", " ")
    return f"{label[0].upper()}{label[1:]} along depth{in_condition(condition)}"
