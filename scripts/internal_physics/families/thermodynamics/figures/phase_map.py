"""Phase map: at which layers of which models the flags are raised and plateaus begin, one panel per phase."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.thermodynamics.figures.weights import in_blocks
from internal_physics.families.thermodynamics.tables import PHASES
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image, separate_rows
from internal_physics.figures.selection import left_out_notes, order_models, rows_of, split
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

TITLES = {
    "latent_heat_jump": "Latent-heat jump",
    "negative_specific_heat": "Negative specific heat",
    "susceptibility_divergence": "Susceptibility divergence",
    "high_compressibility": "High compressibility",
    "change_point": "Change point (a new plateau of T, S, E, F begins)",
}
COLORMAP = "viridis"


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set; where no model has a derivative along depth, one that says so."""
    return by_set(_draw_or_say_why_not, TableBySet(inputs["phases"], PHASES), models, prompt_sets)


def _draw_or_say_why_not(phases: pd.DataFrame, prompt_set: str, *, models: Sequence[str]) -> Figure:
    if (phases["prompt_set"] == prompt_set).any():
        return draw(phases, prompt_set, models=models)
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.0)
        style.empty_panel(figure.subplots(), "no phases: a derivative along depth needs three blocks")
        return style.finish(figure, f"Phase map of the models on {prompt_set}")


def draw(
    phases: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw, for each phase, a model-by-layer image of the share of prompts and kinds of maps that are in it.

    Args:
        phases: table `phases`.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models from top to bottom; by name when not given.

    Returns:
        A figure of five panels on one color scale, the share that shuffled layers would give beside each model's row.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    rows = rows_of(phases, prompt_set, condition, columns=["model", "layer", "kind", "phase", "share", "status"])
    usable, left_out = split(in_blocks(rows), ["share"])
    order = order_models(phases["model"], models)
    tables = {phase: _table(usable[usable["phase"] == phase], order, _n_layers(usable)) for phase in TITLES}
    highest = max((float(np.nanmax(t)) for t in tables.values() if np.isfinite(t).any()), default=1.0) or 1.0
    norm = Normalize(0, highest)
    with style.house_style():
        height = (0.42 + 0.2 * len(order)) * len(TITLES) + 0.3
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, height)
        axes = figure.subplots(len(TITLES), 1, sharex=True)
        for ax, phase in zip(axes, TITLES, strict=True):
            _panel(ax, tables[phase], norm, order)
            _expected(ax, usable[usable["phase"] == phase], order)
            ax.set_title(TITLES[phase])
        axes[-1].set_xlabel("block (0 = first)")
        bar = figure.colorbar(ScalarMappable(norm, COLORMAP), ax=axes, aspect=40, pad=0.02)
        bar.set_label("share of prompts, mean over kinds of maps (0 to 1)")
        title = f"Phase map of the models on {about_set(prompt_set, int(rows['n_prompts'].max()), condition)}"
        return style.finish(figure, title, [*_notes(tables), *left_out_notes(left_out, "weight", "parameter")])


def _n_layers(rows: pd.DataFrame) -> int:
    return int(rows["layer"].max()) + 2 if len(rows) else 1  # the last block has no derivative, but a place


def _table(rows: pd.DataFrame, order: Sequence[str], n_layers: int) -> np.ndarray:
    """[model, layer], NaN where no map has a derivative."""
    means = rows.pivot_table(index="model", columns="layer", values="share", aggfunc="mean")
    return means.reindex(index=list(order), columns=range(n_layers)).to_numpy(dtype=float)


def _panel(ax: Axes, table: np.ndarray, norm: Normalize, order: Sequence[str]) -> None:
    ax.set_yticks(range(len(order)), labels=[style.wrap_name(model, 26) for model in order])
    draw_image(ax, table, norm, COLORMAP)
    separate_rows(ax, len(order))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))


def _expected(ax: Axes, rows: pd.DataFrame, order: Sequence[str]) -> None:
    """Observed and expected share of each model, at the right of its row."""
    for place, model in enumerate(order):
        of_model = rows[rows["model"] == model]
        if len(of_model):
            text = f"{of_model['share'].mean():.2f} ({of_model['expected_share'].mean():.2f})"
            ax.annotate(text, (1.0, place), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                        va="center", annotation_clip=False, gid="expected")  # fmt: skip


def _notes(tables: dict[str, np.ndarray]) -> list[str]:
    notes = [
        "Right of each row: mean share over all layers and, in brackets, the same when layers are shuffled. A share "
        "that does not exceed the brackets says nothing about depth."
    ]
    if any(np.isnan(table).any() for table in tables.values()):
        notes.append("Hatched grey: no derivative (first and last block), or the model has fewer blocks.")
    return notes
