"""Layer-wise impact: how far each condition moves every quantity at every layer, with intervals over prompts."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import beside, style
from internal_physics.figures.selection import left_out_notes, order_models, require_columns

MAX_COLUMNS = 4
ROW_INCHES = 1.7
# In percent of the baseline, but for what crosses zero, where a percentage means nothing.
AS_DIFFERENCE = ("gradient_cosine", "margin")


def draw(comparisons: pd.DataFrame, prompt_set: str, *, models: Sequence[str] | None = None) -> Figure:
    """Draw the change of every quantity along depth: a row a quantity, a column a condition, a line a model.

    Args:
        comparisons: table `comparisons`.
        prompt_set: which prompt set.
        models: order of the models, which fixes their looks; by name when not given.

    Returns:
        A figure in which panels of a row share their y axis; 0 is the baseline. Bands are the table's intervals. Rows
        without a finite value and interval are left out and named beneath. Past four conditions, a new block of rows.

    Raises:
        ValueError: columns are missing, or the set has no condition.
    """
    require_columns(
        comparisons, ["model", "condition", "prompt_set", "quantity", "layer", "measure", "value", "status"]
    )
    conditions = beside.steered_conditions(comparisons, prompt_set)
    rows = _wanted(comparisons[comparisons["prompt_set"] == prompt_set])
    usable = beside.finite(rows, ["value", "ci_low", "ci_high"])
    quantities, names = beside.quantities_of(rows), order_models(comparisons["model"], models)
    blocks = [conditions[i : i + MAX_COLUMNS] for i in range(0, len(conditions), MAX_COLUMNS)]
    with style.house_style():
        inches = [ROW_INCHES] * (len(blocks) * len(quantities)) + [beside.legend_inches(len(names))]
        width = style.PAGE_WIDTH_INCHES if len(conditions) > 1 else 0.7 * style.PAGE_WIDTH_INCHES
        figure = style.new_figure(width, sum(inches))
        grid = figure.add_gridspec(len(inches), len(blocks[0]), height_ratios=inches)
        looks = style.model_styles(names)
        for b, block in enumerate(blocks):
            for q, quantity in enumerate(quantities):
                first: Axes | None = None
                for c, condition in enumerate(block):
                    ax = figure.add_subplot(grid[b * len(quantities) + q, c], sharey=first)
                    own = usable[(usable["quantity"] == quantity) & (usable["condition"] == condition)]
                    _panel(ax, own, looks)
                    beside.dress(
                        ax,
                        title=style.wrap_name(condition) if q == 0 else "",
                        ylabel=_label(quantity) if first is None else "",
                        xlabel="layer l (0 = first)" if q == len(quantities) - 1 else "",
                    )
                    first = first or ax
        beside.draw_legend(figure.add_subplot(grid[-1, :]), looks, names)
        return style.finish(figure, _title(rows, prompt_set), [_NOTE, *_left_out(rows, usable)])


_NOTE = (
    "0 is the baseline on the same prompts. Lines: change of the mean over prompts. Bands: intervals over prompts "
    "(paired bootstrap); where a band does not reach 0, the condition moves the quantity at that layer."
)


def _wanted(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows along depth, each quantity in its one measure."""
    rows = rows[rows["layer"].notna()]
    measure = rows["quantity"].isin(AS_DIFFERENCE).map({True: "difference", False: "percent_change"})
    return rows[rows["measure"] == measure].astype({"layer": int})


def _panel(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    ax.axhline(0.0, color="#444444", linewidth=0.8, gid="zero")
    if rows.empty:
        style.empty_panel(ax)
    for model, look in looks.items():
        if len(own := rows[rows["model"] == model]):
            beside.line(ax, own, look, ["ci_low", "ci_high"])


def _label(quantity: str) -> str:
    unit = "steered − baseline" if quantity in AS_DIFFERENCE else "in % of the baseline"
    return f"{beside.label(quantity).split(chr(10) + '(')[0]}\n{unit}"


def _title(rows: pd.DataFrame, prompt_set: str) -> str:
    n = "no prompts" if rows.empty else style.plural(int(rows["n_prompts"].max()), "prompt")
    return f"Impact of steering along depth on {prompt_set} ({n})"


def _left_out(rows: pd.DataFrame, usable: pd.DataFrame) -> list[str]:
    return left_out_notes(rows.drop(usable.index), what="layer", count_of="layer")
