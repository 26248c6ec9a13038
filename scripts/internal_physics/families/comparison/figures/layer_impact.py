"""Layer-wise impact: how far each condition moves every quantity at every layer, with intervals over prompts."""

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.comparison.figures import beside
from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import left_out_notes, order_models, require_columns
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet

MAX_COLUMNS = 4
COLUMNS = ("model", "condition", "prompt_set", "quantity", "layer", "measure", "value", "ci_low", "ci_high", "status")
# In percent of the baseline, except quantities that cross zero, for which a percentage is meaningless.
AS_DIFFERENCE = ("gradient_cosine", "margin")
NOTE = (
    "0 is the baseline on the same prompts. Lines: change of the mean over prompts. Bands: intervals over prompts "
    "(paired bootstrap); where a band does not reach 0, the condition moves the quantity at that layer."
)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str], quantities: str) -> Figures:
    """One figure for each steered prompt set, of the quantities in table `layers` or `information`."""
    return by_set(
        partial(draw, quantities=quantities), TableBySet(inputs["comparisons"], COMPARISONS), models, prompt_sets
    )


def draw(
    comparisons: pd.DataFrame,
    prompt_set: str,
    *,
    models: Sequence[str] | None = None,
    quantities: str | Sequence[str] = tuple(beside.QUANTITIES),
) -> Figure:
    """Draw the change of every quantity along depth: a row per quantity, a column per condition, a line per model.

    Args:
        comparisons: table `comparisons`.
        prompt_set: which prompt set.
        models: order of the models, which fixes their looks; by name when not given.
        quantities: which to draw, as far as there are rows along depth: names, or those of table layers or information.

    Returns:
        A figure in which panels of a row share their y axis; 0 is the baseline. Bands are the table's intervals. Rows
        without a finite value and interval are left out and named beneath. Past four conditions, a new block of rows.

    Raises:
        ValueError: columns are missing, or the set has no condition.
    """
    require_columns(comparisons, COLUMNS)
    blocks = beside.blocks_of(beside.steered_conditions(comparisons, prompt_set), MAX_COLUMNS)
    asked = beside.ALONG_DEPTH[quantities] if isinstance(quantities, str) else quantities
    here = (comparisons["prompt_set"] == prompt_set) & comparisons["quantity"].isin(asked)
    rows = _wanted(comparisons[here])
    usable = beside.finite(rows, ["value", "ci_low", "ci_high"])
    looks = style.model_styles(order_models(comparisons["model"], models))
    with style.house_style():
        figure = _figure(usable, beside.quantities_of(rows), blocks, looks)
        left_out = left_out_notes(rows.drop(usable.index), what="layer", count_of="layer")
        return style.finish(figure, _title(rows, prompt_set), [NOTE, *left_out])


def _figure(
    usable: pd.DataFrame,
    quantities: Sequence[str],
    blocks: Sequence[Sequence[str]],
    looks: Mapping[str, style.ModelStyle],
) -> Figure:
    """Blocks of conditions, one below the other, each with a row of panels for every quantity."""
    width = style.PAGE_WIDTH_INCHES * (0.7 if len(blocks[0]) == 1 else 1.0)
    n_rows = len(blocks) * len(quantities)
    figure, grid = beside.panel_grid(n_rows, len(blocks[0]), len(looks), width)
    for row in range(n_rows):
        b, q = divmod(row, len(quantities))
        panels = beside.row_of_panels(figure, grid, row, len(blocks[b]))
        for ax, condition in zip(panels, blocks[b], strict=True):
            own = usable[(usable["quantity"] == quantities[q]) & (usable["condition"] == condition)]
            _panel(ax, own, looks)
            beside.dress(
                ax,
                title=style.wrap_name(condition) if q == 0 else "",
                ylabel=_label(quantities[q]) if ax is panels[0] else "",
                xlabel="layer l (0 = first)" if q == len(quantities) - 1 else "",
            )
    shown = {model: look for model, look in looks.items() if (usable["model"] == model).any()}
    beside.draw_legend(figure.add_subplot(grid[-1, :]), shown or looks)
    return figure


def _wanted(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows along depth, each quantity in its one measure."""
    rows = rows[rows["layer"].notna()]
    measure = rows["quantity"].isin(AS_DIFFERENCE).map({True: "difference", False: "percent_change"})
    return rows[rows["measure"] == measure].astype({"layer": int})


def _panel(ax: Axes, rows: pd.DataFrame, looks: Mapping[str, style.ModelStyle]) -> None:
    ax.axhline(0.0, color="#444444", linewidth=0.8, gid="zero")
    if rows.empty:
        style.empty_panel(ax)
    for model, look in looks.items():
        if len(own := rows[rows["model"] == model]):
            beside.line(ax, own, look, ["ci_low", "ci_high"])


def _label(quantity: str) -> str:
    unit = f"steered {style.MINUS} baseline" if quantity in AS_DIFFERENCE else "in % of the baseline"
    name = beside.label(quantity).split("\n(")[0]  # without its unit
    return f"{name}\n{unit}"


def _title(rows: pd.DataFrame, prompt_set: str) -> str:
    n = "no prompts" if rows.empty else plural(int(rows["n_prompts"].max()), "prompt")
    return f"Impact of steering along depth on {prompt_set} ({n})"
