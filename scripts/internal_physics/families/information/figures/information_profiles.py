"""Small multiples: the six information quantities along depth, one row per quantity and one column per model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.information.figures.layer_curves import draw_panel, is_log, make_log, notes
from internal_physics.families.information.quantities import ALONG_DEPTH
from internal_physics.families.information.tables import INFORMATION
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import count_prompts, left_out_notes, select
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet
from internal_physics.tables.table import Quantity

MAX_COLUMNS = 4
_ROW_INCHES = 1.12
WIDTH_OF_LABELS = 13


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["information"], INFORMATION), models, prompt_sets)


def draw(
    information: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw all six quantities of every model on one prompt set.

    Args:
        information: table `information`.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models, which fixes their looks; by name when not given.

    Returns:
        A figure of six rows (six more past every fourth model); the panels of a quantity share one y axis, which is
        logarithmic for perplexity. Rows that are not ok are left out and named beneath.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    wanted = information[information["quantity"].isin([quantity.name for quantity in ALONG_DEPTH])]
    chosen = select(wanted, prompt_set, condition, values=["value"], models=models)
    looks = style.model_styles(chosen.models)
    columns = min(MAX_COLUMNS, len(chosen.models))
    blocks = -(-len(chosen.models) // columns)
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES * (1 if columns > 2 else 0.4 + 0.3 * columns - 0.1)
        figure = style.new_figure(width, _ROW_INCHES * len(ALONG_DEPTH) * blocks + 0.3)
        grid = figure.add_gridspec(len(ALONG_DEPTH) * blocks, columns)
        shared: dict[str, Axes] = {}
        log = {shown.name: is_log(shown, _values(chosen.usable, shown)) for shown in ALONG_DEPTH}
        for index, model in enumerate(chosen.models):
            block, column = divmod(index, columns)
            of_model = chosen.usable[chosen.usable["model"] == model]
            first = None
            for row, shown in enumerate(ALONG_DEPTH):
                cell = grid[len(ALONG_DEPTH) * block + row, column]
                ax = figure.add_subplot(cell, sharey=shared.get(shown.name), sharex=first)
                first = first or ax
                shared.setdefault(shown.name, ax)
                draw_panel(ax, of_model[of_model["quantity"] == shown.name], shown, looks[model].color)
                _dress(ax, model, row, column, log[shown.name])
        for quantity in filter(log.get, log):
            make_log(shared[quantity])
        below = [*notes(ALONG_DEPTH), *left_out_notes(chosen.left_out)]
        return style.finish(figure, _title(chosen.usable, prompt_set, condition), below)


def _values(usable: pd.DataFrame, quantity: Quantity) -> np.ndarray:
    return usable.loc[usable["quantity"] == quantity.name, "value"].to_numpy(dtype=float)


def _dress(ax: Axes, model: str, row: int, column: int, log: bool) -> None:
    if row == 0:
        ax.set_title(style.wrap_name(model), fontweight="bold")
    if row == len(ALONG_DEPTH) - 1:
        ax.set_xlabel("residual l (0 = embedding)")
    else:
        ax.tick_params(labelbottom=False)
    if column == 0:
        ax.set_ylabel(ALONG_DEPTH[row].axis_label(WIDTH_OF_LABELS, log=log))
    else:
        ax.tick_params(which="both", labelleft=False)


def _title(usable: pd.DataFrame, prompt_set: str, condition: str) -> str:
    n = count_prompts(usable)
    where = "" if condition == "baseline" else f", condition {condition}"
    return f"Information along depth on {prompt_set} ({plural(n, 'prompt')}){where}"
