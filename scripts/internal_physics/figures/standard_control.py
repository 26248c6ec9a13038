"""Standard beside control: quantities along depth in the baseline and, at its right, in each condition."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import beside, style
from internal_physics.figures.layer_profiles import needs_log
from internal_physics.figures.selection import count_prompts, left_out_notes, order_models, require_columns, split

MAX_CONTROLS = 3  # beside one baseline; more of them begin a new block of panels, with the baseline again
ROW_INCHES = 1.7


def draw(layers: pd.DataFrame, prompt_set: str, *, models: Sequence[str] | None = None) -> Figure:
    """Draw every quantity of `layers`: a row a quantity, a column a condition, a line a model.

    Args:
        layers: rows (model, condition, prompt_set, prompt, layer, quantity, value, status), with a condition besides
            the baseline.
        prompt_set: which prompt set.
        models: order of the models, which fixes their looks; by name when not given.

    Returns:
        A figure in which all panels of a row share their y axis, logarithmic where positive values span a factor of
        more than 30. Lines are means over prompts, bands one standard deviation (ddof 1). A model that was not
        steered shows in the baseline only.

    Raises:
        ValueError: columns are missing, or the set has no condition but the baseline.
    """
    require_columns(layers, ["model", "condition", "prompt_set", "prompt", "layer", "quantity", "value", "status"])
    controls = beside.steered_conditions(layers, prompt_set)
    usable, left_out = split(layers[layers["prompt_set"] == prompt_set], ["value"])
    names = order_models(layers["model"], models)
    quantities = beside.quantities_of(usable)
    blocks = [controls[i : i + MAX_CONTROLS] for i in range(0, len(controls), MAX_CONTROLS)]
    with style.house_style():
        inches = [ROW_INCHES] * (len(blocks) * len(quantities)) + [beside.legend_inches(len(names))]
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(inches))
        grid = figure.add_gridspec(len(inches), 1 + len(blocks[0]), height_ratios=inches)
        looks = style.model_styles(names)
        for b, block in enumerate(blocks):
            for q, quantity in enumerate(quantities):
                row = b * len(quantities) + q
                panels = [figure.add_subplot(grid[row, 0])]
                panels += [figure.add_subplot(grid[row, c], sharey=panels[0]) for c in range(1, len(block) + 1)]
                rows = usable[usable["quantity"] == quantity]
                _row(panels, rows, [beside.BASELINE, *block], looks, is_first=q == 0)
                for ax in panels if q == len(quantities) - 1 else []:
                    ax.set_xlabel("layer l (0 = first)")
        beside.draw_legend(figure.add_subplot(grid[-1, :]), looks, names)
        n_prompts = style.plural(count_prompts(usable), "prompt")
        title = f"Standard beside control on {prompt_set} ({n_prompts})"
        return style.finish(figure, title, [_NOTE, *left_out_notes(left_out)])


_NOTE = (
    "Left: the baseline. Right of it: the same prompts while the residual stream is steered. Lines: mean over prompts. "
    "Bands: ±1 standard deviation over prompts. Panels of a row share one axis."
)


def _row(
    panels: Sequence[Axes],
    rows: pd.DataFrame,
    conditions: Sequence[str],
    looks: dict[str, style.ModelStyle],
    *,
    is_first: bool,
) -> None:
    """One quantity in every condition of a block."""
    shown = rows[rows["condition"].isin(conditions)]
    log = needs_log(shown["value"].to_numpy(dtype=float))
    for ax, condition in zip(panels, conditions, strict=True):
        here = rows[rows["condition"] == condition]
        for model, look in looks.items():
            own = beside.spread(here[here["model"] == model])
            if log:  # a band that reaches below zero runs to the bottom
                own["low"] = own["low"].clip(lower=shown["value"][shown["value"] > 0].min())
            if len(own):
                beside.line(ax, own, look, ["low", "high"])
        title = ("standard" if condition == beside.BASELINE else style.wrap_name(condition)) if is_first else ""
        beside.dress(ax, title=title, ylabel=beside.label(rows["quantity"].iloc[0]) if ax is panels[0] else "")
    if log:
        panels[0].set_yscale("log")
        style.plain_log_labels(panels[0].yaxis)
