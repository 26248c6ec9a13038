"""State diagrams: entropy against temperature and temperature against free energy, flagged layers marked."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from internal_physics.families.thermodynamics.figures import weights
from internal_physics.families.thermodynamics.tables import THERMODYNAMICS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import count_prompts, left_out_notes
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

# Flag → marker around (or, for the frequent one, within) the layer's own.
MARKS = {
    "latent_heat_jump": {"marker": "s", "markersize": 8},
    "susceptibility_divergence": {"marker": "o", "markersize": 8},
    "high_compressibility": {"marker": "D", "markersize": 7},
    "negative_specific_heat": {"marker": "o", "markersize": 1.8},
}
LEGEND = {
    "latent_heat_jump": "latent heat",
    "susceptibility_divergence": "susceptib.",
    "high_compressibility": "compress.",
    "negative_specific_heat": "sp. heat < 0",
}
PANEL_INCHES = 2.2
AGREEMENT = 0.5  # share of the prompts from which a layer is marked


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
    """Draw every map of every block as a point: S against T above, T against -F below, a column per model.

    Args:
        thermodynamics: table `thermodynamics`.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models; by name when not given.

    Returns:
        A figure in which points are means over prompts, and neighboring layers of a kind are joined by a faint line.
        A layer is marked with a flag where at least half of the prompts raise it.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    values = ["temperature", "entropy_nats", "free_energy"]
    usable, left_out, order = weights.select_weights(
        thermodynamics, prompt_set, condition, values=values, models=models
    )
    looks = weights.kind_looks(weights.kinds_of(usable))
    points = mean_states(usable)
    with style.house_style():
        figure, legend, grid = weights.grid_of_models(len(order), 2, PANEL_INCHES, len(looks) + len(MARKS))
        for model, (above, below) in zip(order, grid, strict=True):
            of_model = points[points["model"] == model]
            _panel(above, of_model, "temperature", "entropy_nats", looks)
            _panel(below, of_model, "minus_free_energy", "temperature", looks)
            above.set_title(style.wrap_name(model), fontweight="bold")
        _dress(grid, points)
        marks = [Line2D([], [], **_mark(flag), linestyle="none", label=LEGEND[flag]) for flag in MARKS]
        weights.kind_legend(legend, looks, marks)
        title = f"State diagrams of the weights on {about_set(prompt_set, count_prompts(usable), condition)}"
        return style.finish(figure, title, [_note(), *left_out_notes(left_out)])


def mean_states(usable: pd.DataFrame) -> pd.DataFrame:
    """Means over prompts of T, S and -F, and the share of the prompts that raise each flag: a row per weight.

    The experts of a kind in a block are one row, the mean over those that were reached.
    """
    columns = ["temperature", "entropy_nats", "free_energy", *MARKS]
    keys = ["model", "kind", "parameter", "layer"]
    one_row = usable["parameter"].where(usable["expert"].isna(), "experts")
    means = usable.assign(parameter=one_row).groupby(keys, sort=False)[columns].mean().reset_index()
    return means.assign(minus_free_energy=-means["free_energy"]).sort_values(["model", "kind", "layer"])


def _panel(ax: Axes, points: pd.DataFrame, x: str, y: str, looks: dict[str, style.ModelStyle]) -> None:
    if points.empty:
        style.empty_panel(ax)
        return
    for kind in [kind for kind in looks if (points["kind"] == kind).any()]:
        rows, look = points[points["kind"] == kind], looks[kind]
        ax.plot(rows[x], rows[y], color=look.color, linewidth=0.5, alpha=0.35)
        ax.plot(rows[x], rows[y], color=look.color, marker=look.marker, linestyle="none", markersize=3, gid=kind)
    for flag in MARKS:
        marked = points[points[flag] >= AGREEMENT]
        ax.plot(marked[x], marked[y], linestyle="none", **_mark(flag), gid=flag)


def _mark(flag: str) -> dict:
    inside = flag == "negative_specific_heat"
    edge = {"markeredgecolor": "black", "markeredgewidth": 0.4 if inside else 0.8}
    return {**MARKS[flag], **edge, "markerfacecolor": "white" if inside else "none"}


def _dress(grid: list[list[Axes]], points: pd.DataFrame) -> None:
    scales = {name: "log" if weights.log_values(points[name].to_numpy()) else "linear" for name in points.columns[4:]}
    for above, below in grid:
        above.set(xscale=scales["temperature"], xlabel="T (weight² / nat)\nhigh: hardly pulled")
        below.set(xscale=scales["minus_free_energy"], yscale=scales["temperature"], xlabel=f"{style.MINUS}F")
        for ax in (above, below):
            if ax.get_xscale() == "log":
                ax.xaxis.set_minor_formatter("")
        if style.column_of(above) == 0:  # the others in its row share its axis
            above.set_ylabel("entropy S (nats)")
            below.set_ylabel("temperature T\n(weight² / nat)\nhigh: hardly pulled")
    for axes in zip(*grid, strict=True):  # one range for all models
        low, high = min(ax.get_xlim()[0] for ax in axes), max(ax.get_xlim()[1] for ax in axes)
        for ax in axes:
            ax.set_xlim(low, high)


def _note() -> str:
    return (
        "Each point is one map of one block (of experts: their mean), mean over prompts; faint lines join neighbouring "
        "layers. Black rings, and "
        "white dots for a negative specific heat: at least half of the prompts raise the flag. " + weights.OUTSIDE
    )
