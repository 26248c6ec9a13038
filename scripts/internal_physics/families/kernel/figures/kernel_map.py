"""A plane of the prompts of one model: near are those whose gradients point in the same direction."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.families.kernel.figures.shown import NO_KIND, about, empty, kinds_in_order, of_model, same_kernel
from internal_physics.families.kernel.tables import KERNEL_MAP, KERNEL_SUMMARY
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.tables.read import read_table


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """One figure for each model."""
    places = read_table(inputs["kernel_map"], KERNEL_MAP)
    summary = read_table(inputs["kernel_summary"], KERNEL_SUMMARY)
    for model in models:
        yield model, draw(places, summary, model)


def draw(kernel_map: pd.DataFrame, kernel_summary: pd.DataFrame, model: str, condition: str = "baseline") -> Figure:
    """Draw every prompt as a point, with the color and marker of its kind.

    Args:
        kernel_map: table `kernel_map`.
        kernel_summary: table `kernel_summary`, for the share of the distances that the plane shows.
        model: which model.
        condition: which condition.

    Returns:
        A figure whose two axes have one scale. Without a kernel, a figure that says so.
    """
    rows = of_model(kernel_map, model, condition)
    with style.house_style():
        if rows.empty:
            return empty(f"Map of the prompts of {model}")
        kinds = kinds_in_order(rows["kind"])
        looks = style.model_styles(kinds)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 4.6)
        ax = figure.add_subplot()
        for kind in kinds:
            own = rows[rows["kind"].fillna(NO_KIND) == kind]
            look: dict[str, Any] = {"color": looks[kind].color, "marker": looks[kind].marker, "linestyle": "none"}
            ax.plot(own["x"], own["y"], **look, markersize=5, alpha=0.8, label=style.literal(f"{kind} ({len(own)})"))
        ax.axhline(0, color=style.BLANK_COLOR, zorder=0)
        ax.axvline(0, color=style.BLANK_COLOR, zorder=0)
        ax.set_aspect("equal", adjustable="datalim")
        ax.set(xlabel="first axis (dimensionless)", ylabel="second axis (dimensionless)")
        figure.legend(loc="outside right upper", title="kind (prompts)")
        share = float(same_kernel(kernel_summary, rows)["map_share"].iat[0])
        note = (
            "Classical scaling of the cosine kernel: two prompts are near if their gradients point in the same "
            f"direction. The plane shows {share:.0%} of the squared distances: what is far here is far, "
            "what is near may still differ in directions that are not shown."
        )
        return style.finish(figure, f"Map of the prompts of {about(rows, len(rows))}", [note])
