"""Temperature, entropy, energy and free energy of the weights along depth, by kind of map, one column per model."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.thermodynamics.figures import weights
from internal_physics.families.thermodynamics.tables import THERMODYNAMICS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.scales import needs_log
from internal_physics.figures.selection import count_prompts, left_out_notes
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

PANEL_INCHES = 1.45


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["thermodynamics"], THERMODYNAMICS), models, prompt_sets)


def draw(
    thermodynamics: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw T, S, E and F against the block for every model, a line per kind of map, mean over prompts.

    Args:
        thermodynamics: table `thermodynamics`.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models; by name when not given.

    Returns:
        A figure of four rows of panels, each quantity on one shared y axis: logarithmic where it spans more than a
        factor of 30. A free energy that is negative throughout is drawn as -F.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    usable, left_out, order = weights.select_weights(
        thermodynamics, prompt_set, condition, values=weights.QUANTITIES, models=models
    )
    negated = bool((usable["free_energy"] < 0).all()) and len(usable) > 0
    usable = usable.assign(free_energy=-usable["free_energy"]) if negated else usable
    looks = weights.kind_looks(weights.kinds_of(usable))
    with style.house_style():
        figure, legend, grid = weights.grid_of_models(len(order), 4, PANEL_INCHES, len(looks))
        for model, axes in zip(order, grid, strict=True):
            of_model = usable[usable["model"] == model]
            for ax, quantity in zip(axes, weights.QUANTITIES, strict=True):
                _panel(ax, of_model, quantity, looks)
            axes[0].set_title(style.wrap_name(model), fontweight="bold")
            axes[-1].set_xlabel("block (0 = first)")
            for ax in axes[:-1]:
                ax.tick_params(labelbottom=False)
        _dress(figure, usable, negated)
        weights.kind_legend(legend, looks)
        title = (
            f"Thermodynamics of the weights along depth on {about_set(prompt_set, count_prompts(usable), condition)}"
        )
        return style.finish(figure, title, [_note(), *left_out_notes(left_out)])


def _panel(ax: Axes, rows: pd.DataFrame, quantity: str, looks: dict[str, style.ModelStyle]) -> None:
    ax.set_label(quantity)
    if rows.empty:
        style.empty_panel(ax)
        return
    means = weights.depth_table(rows, quantity)
    for kind in [kind for kind in looks if kind in means]:
        line = means[kind].dropna()
        look = looks[kind]
        ax.plot(line.index, line, color=look.color, marker=look.marker, markersize=2.5, linewidth=0.9, gid=kind)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _dress(figure: Figure, usable: pd.DataFrame, negated: bool) -> None:
    for quantity in weights.QUANTITIES:
        axes = [ax for ax in figure.axes if ax.get_label() == quantity]
        values = usable[quantity].to_numpy(dtype=float)
        if weights.log_values(values) and needs_log(values):
            axes[0].set_yscale("log")
            style.plain_log_labels(axes[0].yaxis)
        label = weights.NEGATED if quantity == "free_energy" and negated else weights.LABELS[quantity]
        for ax in axes:
            if style.column_of(ax) == 0:
                ax.set_ylabel(label)


def _note() -> str:
    return (
        "W: weight as the model uses it, σ its singular values, p = σ/Σσ; G: gradient of the prompt's loss, or of "
        "record.target. Lines: mean over prompts; entropy and energy do not depend on the prompt. "
        f"{weights.HOT} {weights.OUTSIDE}"
    )
