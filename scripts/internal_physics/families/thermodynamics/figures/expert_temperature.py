"""Temperature of every expert: an image per model with experts, a row per block."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from internal_physics.families.thermodynamics.figures.weights import HOT
from internal_physics.families.thermodynamics.tables import THERMODYNAMICS_MEANS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.expert_images import ARBITRARY, draw_experts, expert_image, no_experts
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

NOTE = (
    "T = ‖W‖ / ‖G‖, mean over the prompts that reached the expert, then the geometric mean over its matrices. "
    f"{HOT} {ARBITRARY} Hatched grey: no prompt reached the expert, or the block has no such expert."
)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set; where no model has experts, one that says so."""
    table = TableBySet(inputs["thermodynamics_means"], THERMODYNAMICS_MEANS, pc.field("quantity") == "temperature")
    for prompt_set in prompt_sets:
        yield prompt_set, draw(table.of_set(prompt_set), prompt_set, models=models)


def draw(
    thermodynamics_means: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw the mean temperature of each expert, [block, expert], for every model that has experts.

    Args:
        thermodynamics_means: table `thermodynamics_means`; its rows of temperatures of experts.
        prompt_set: which prompt set.
        condition: which condition.
        models: their order from top to bottom; by name when not given.

    Raises:
        ValueError: columns are missing.
    """
    require_columns(thermodynamics_means, list(THERMODYNAMICS_MEANS.columns))
    rows = thermodynamics_means[
        (thermodynamics_means["prompt_set"] == prompt_set)
        & (thermodynamics_means["condition"] == condition)
        & (thermodynamics_means["quantity"] == "temperature")
        & thermodynamics_means["expert"].notna()
    ]
    order = order_models({*rows["model"], *(models or ())}, models)
    with style.house_style():
        if not np.isfinite(rows["mean"]).any():
            return no_experts(f"Temperature of the experts on {prompt_set}")
        shown = of_experts(rows).groupby("model")
        images = {m: expert_image(shown.get_group(m), "temperature") for m in order if m in shown.groups}
        figure = draw_experts(images, _norm(list(images.values())), "T (weight² / nat)")
        style.plain_log_labels(figure.axes[-1].yaxis)
        title = f"Temperature of the experts on {about_set(prompt_set, int(rows['n_prompts'].max()), condition)}"
        return style.finish(figure, title, [NOTE])


def of_experts(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per model, block and expert: the geometric mean of its matrices' temperatures; NaN where none has one."""
    logs = np.log(rows["mean"].where(rows["mean"] > 0))
    means = rows.assign(temperature=logs).groupby(["model", "layer", "expert"])["temperature"].mean()
    return np.exp(means).reset_index().astype({"expert": "int64"})


def _norm(images: Sequence[np.ndarray]) -> LogNorm:
    finite = np.concatenate([image[np.isfinite(image)] for image in images])
    low, high = float(finite.min()), float(finite.max())
    return LogNorm(low, high if high > low else 1.1 * low)
