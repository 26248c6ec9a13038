"""One information quantity along depth: one row per prompt set and one column per model."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.information.figures.layer_curves import draw_panel, is_log, make_log, notes
from internal_physics.families.information.quantities import ALONG_DEPTH
from internal_physics.families.information.tables import INFORMATION
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import left_out_notes, order_models, require_columns, split
from internal_physics.tables.read import read_table
from internal_physics.tables.table import Quantity

MAX_COLUMNS = 4
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
    looks, columns = style.model_styles(models), min(MAX_COLUMNS, len(models))
    blocks = -(-len(models) // columns)
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES if columns > 1 else 0.65 * style.PAGE_WIDTH_INCHES
        figure = style.new_figure(width, (_ROW_INCHES * len(prompt_sets) + 0.3) * blocks)
        grid = figure.add_gridspec(len(prompt_sets) * blocks, columns)
        shared: Axes | None = None
        for index, model in enumerate(models):
            block, column = divmod(index, columns)
            for row, prompt_set in enumerate(prompt_sets):
                ax = figure.add_subplot(grid[len(prompt_sets) * block + row, column], sharey=shared)
                shared = shared or ax
                here = usable[(usable["model"] == model) & (usable["prompt_set"] == prompt_set)]
                draw_panel(ax, here, shown, looks[model].color)
                ax.set_title(style.wrap_name(model), fontweight="bold") if row == 0 else None
                _dress(ax, prompt_set, is_last=row == len(prompt_sets) - 1, is_first_column=column == 0)
        if (log := is_log(shown, usable["value"].to_numpy(dtype=float))) and shared is not None:
            make_log(shared)
        return style.finish(figure, _title(shown, condition, log), [*notes([shown]), *left_out_notes(left_out)])


def _dress(ax: Axes, prompt_set: str, *, is_last: bool, is_first_column: bool) -> None:
    if is_last:
        ax.set_xlabel("residual l (0 = embedding)")
    else:
        ax.tick_params(labelbottom=False)
    if is_first_column:
        ax.set_ylabel(style.wrap_name(prompt_set.replace("_", " "), 14))
    else:
        ax.tick_params(which="both", labelleft=False)


def _title(quantity: Quantity, condition: str, log: bool) -> str:
    where = "" if condition == "baseline" else f", condition {condition}"
    label = quantity.axis_label(log=log).replace("\n", " ")
    return f"{label[0].upper()}{label[1:]} along depth{where}"
