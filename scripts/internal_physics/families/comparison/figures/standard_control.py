"""Baseline and conditions: quantities along depth in the baseline and, at its right, in each condition."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.comparison.figures import beside
from internal_physics.families.information.tables import INFORMATION
from internal_physics.families.scores.tables import LAYERS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.scales import needs_log
from internal_physics.figures.selection import count_prompts, left_out_notes, order_models, require_columns, split
from internal_physics.ground.names import BASELINE
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet

TABLES = {table.name: table for table in (LAYERS, INFORMATION)}
MAX_CONTROLS = 3  # beside one baseline; more of them begin a new block of panels, with the baseline again
COLUMNS = ("model", "condition", "prompt_set", "prompt", "layer", "quantity", "value", "status")
NOTE = (
    "Left: the baseline. Right of it: the same prompts while the residual stream is steered. Lines: mean over prompts. "
    "Bands: ±1 standard deviation over prompts. Panels of a row share one axis."
)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str], quantities: str) -> Figures:
    """One figure for each steered prompt set, of the quantities in table `layers` or `information`."""
    return by_set(draw, TableBySet(inputs[quantities], TABLES[quantities]), models, prompt_sets)


def draw(layers: pd.DataFrame, prompt_set: str, *, models: Sequence[str] | None = None) -> Figure:
    """Draw every quantity of `layers`: a row per quantity, a column per condition, a line per model.

    Args:
        layers: table `layers` or `information`: rows (model, condition, prompt_set, prompt, layer, quantity, value,
            status), with a condition besides the baseline.
        prompt_set: which prompt set.
        models: order of the models, which fixes their looks; by name when not given.

    Returns:
        A figure in which all panels of a row share their y axis, logarithmic where positive values span a factor of
        more than 30 (of quantities for which that can be read). Lines are means over prompts, bands one standard
        deviation (ddof 1). A model that was not steered shows in the baseline only.

    Raises:
        ValueError: columns are missing, or the set has no condition but the baseline.
    """
    require_columns(layers, COLUMNS)
    blocks = beside.blocks_of(beside.steered_conditions(layers, prompt_set), MAX_CONTROLS)
    usable, left_out = split(layers[layers["prompt_set"] == prompt_set], ["value"])
    looks = style.model_styles(order_models(layers["model"], models))
    with style.house_style():
        figure = _figure(usable, blocks, looks)
        n_prompts = plural(count_prompts(usable), "prompt")
        is_information = set(usable["quantity"]) & set(beside.ALONG_DEPTH["information"])
        what = (
            "Information in the baseline and the steered conditions"
            if is_information
            else "Baseline and steered conditions"
        )
        title = f"{what} on {prompt_set} ({n_prompts})"
        return style.finish(figure, title, [NOTE, *left_out_notes(left_out)])


def _figure(usable: pd.DataFrame, blocks: Sequence[Sequence[str]], looks: Mapping[str, style.ModelStyle]) -> Figure:
    """Blocks of conditions, one below the other, each with a row of panels for every quantity."""
    quantities = beside.quantities_of(usable)
    n_rows, n_columns = len(blocks) * len(quantities), 1 + len(blocks[0])
    figure, grid = beside.panel_grid(n_rows, n_columns, len(looks), style.PAGE_WIDTH_INCHES)
    for row in range(n_rows):
        b, q = divmod(row, len(quantities))
        conditions = [BASELINE, *blocks[b]]
        panels = beside.row_of_panels(figure, grid, row, len(conditions))
        _row(panels, usable[usable["quantity"] == quantities[q]], conditions, looks)
        for ax, condition in zip(panels, conditions, strict=True):
            name = "standard" if condition == BASELINE else style.wrap_name(condition)
            beside.dress(
                ax,
                title=name if q == 0 else "",
                ylabel=beside.label(quantities[q]) if ax is panels[0] else "",
                xlabel="layer l (0 = first)" if q == len(quantities) - 1 else "",
            )
    beside.draw_legend(figure.add_subplot(grid[-1, :]), looks)
    return figure


def _row(
    panels: Sequence[Axes], rows: pd.DataFrame, conditions: Sequence[str], looks: Mapping[str, style.ModelStyle]
) -> None:
    """One quantity in every condition of a block."""
    shown = rows[rows["condition"].isin(conditions)]
    log = all(map(beside.may_be_log, shown["quantity"].unique())) and needs_log(shown["value"].to_numpy(dtype=float))
    for ax, condition in zip(panels, conditions, strict=True):
        here = rows[rows["condition"] == condition]
        for model, look in looks.items():
            own = beside.spread(here[here["model"] == model])
            if log:  # a band that reaches below zero runs to the bottom
                own["low"] = own["low"].clip(lower=shown["value"][shown["value"] > 0].min())
            if len(own):
                beside.line(ax, own, look, ["low", "high"])
    if log:
        panels[0].set_yscale("log")
        style.plain_log_labels(panels[0].yaxis)
