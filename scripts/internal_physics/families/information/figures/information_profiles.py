"""Small multiples: the six information quantities along depth, one row per quantity and one column per model."""

from collections.abc import Sequence
from itertools import compress

import numpy as np
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
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.grids import columns_and_blocks, model_panels
from internal_physics.figures.selection import count_prompts, select
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet
from internal_physics.tables.table import Quantity

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
    columns, blocks = columns_and_blocks(len(chosen.models))
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES * (1 if columns > 2 else 0.4 + 0.3 * columns - 0.1)
        figure = style.new_figure(width, _ROW_INCHES * len(ALONG_DEPTH) * blocks + 0.3)
        grid = figure.add_gridspec(len(ALONG_DEPTH) * blocks, columns)
        panels = model_panels(figure, grid, len(chosen.models), len(ALONG_DEPTH), share_x=True)
        log = [is_log(shown, _values(chosen.usable, shown)) for shown in ALONG_DEPTH]
        for model, axes in zip(chosen.models, panels, strict=True):
            of_model = chosen.usable[chosen.usable["model"] == model]
            axes[0].set_title(style.wrap_name(model), fontweight="bold")
            for ax, shown, is_log_axis in zip(axes, ALONG_DEPTH, log, strict=True):
                draw_panel(ax, of_model[of_model["quantity"] == shown.name], shown, looks[model].color)
                _dress(ax, shown, is_log_axis, is_last=ax is axes[-1])
        for ax in compress(panels[0], log):
            make_log(ax)
        below = [*notes(ALONG_DEPTH), *left_out_here(chosen.left_out)]
        about = about_set(prompt_set, count_prompts(chosen.usable), condition)
        return style.finish(figure, f"Information along depth on {about}", below)


def _values(usable: pd.DataFrame, quantity: Quantity) -> np.ndarray:
    return usable.loc[usable["quantity"] == quantity.name, "value"].to_numpy(dtype=float)


def _dress(ax: Axes, quantity: Quantity, log: bool, *, is_last: bool) -> None:
    if is_last:
        ax.set_xlabel("residual l (0 = embedding)")
    else:
        ax.tick_params(labelbottom=False)
    if style.column_of(ax) == 0:
        ax.set_ylabel(quantity.axis_label(WIDTH_OF_LABELS, log=log))
