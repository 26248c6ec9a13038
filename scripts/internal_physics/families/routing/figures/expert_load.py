"""Load of every expert relative to an even load: an image per model with experts, a row per block."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.routing.tables import EXPERT_LOADS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.expert_images import ARBITRARY, draw_experts, expert_image, no_experts
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

NOTE = (
    "Load: share of the choices of a prompt's tokens that fell on the expert, mean over prompts, times the number of "
    f"experts: 1 is an even share, 0 (black) an expert that no prompt reached. {ARBITRARY} Hatched grey: the block has "
    "no such expert."
)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set; where no model has experts, one that says so."""
    table = TableBySet(inputs["expert_loads"], EXPERT_LOADS)
    for prompt_set in prompt_sets:
        yield prompt_set, draw(table.of_set(prompt_set), prompt_set, models=models)


def draw(
    expert_loads: pd.DataFrame, prompt_set: str, condition: str = "baseline", *, models: Sequence[str] | None = None
) -> Figure:
    """Draw the mean load of each expert over an even load, [block, expert], for every model that has experts.

    Args:
        expert_loads: table `expert_loads`.
        prompt_set: which prompt set.
        condition: which condition.
        models: their order from top to bottom; by name when not given.

    Raises:
        ValueError: columns are missing.
    """
    require_columns(expert_loads, list(EXPERT_LOADS.columns))
    rows = expert_loads[(expert_loads["prompt_set"] == prompt_set) & (expert_loads["condition"] == condition)]
    order = order_models({*rows["model"], *(models or ())}, models)
    with style.house_style():
        if rows.empty:
            return no_experts(f"Load of the experts on {prompt_set}")
        shown = rows.assign(relative=rows["load"] * rows["n_experts"]).groupby("model")
        images = {m: expert_image(shown.get_group(m), "relative") for m in order if m in shown.groups}
        largest = max(1.5, *(float(np.nanmax(image)) for image in images.values()))
        # an even share is in the middle of the colors
        figure = draw_experts(images, TwoSlopeNorm(vmin=0.0, vcenter=1.0, vmax=largest), "load (1 = an even share)")
        above = [tick for tick in MaxNLocator(4, integer=True).tick_values(1.0, largest) if 1 < tick <= largest]
        figure.axes[-1].set_yticks([0.0, 0.5, 1.0, *above])
        figure.axes[-1].yaxis.set_major_formatter("{x:g}")
        title = f"Load of the experts on {about_set(prompt_set, int(rows['n_prompts'].max()), condition)}"
        return style.finish(figure, title, [NOTE])
