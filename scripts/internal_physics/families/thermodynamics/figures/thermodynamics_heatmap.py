"""Layer × kind heatmaps of temperature, entropy, energy and free energy, one row per model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.thermodynamics.figures import weights
from internal_physics.families.thermodynamics.tables import THERMODYNAMICS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image
from internal_physics.figures.scales import COLORS_FROM_RATIO, needs_log
from internal_physics.figures.selection import count_prompts, left_out_notes
from internal_physics.figures.titles import about_set
from internal_physics.tables.read import TableBySet

COLORMAPS = {"temperature": "magma", "entropy_nats": "viridis", "energy": "cividis", "free_energy": "magma"}
TITLES = {
    "temperature": "T (weight² / nat)\nhigh: hardly any pull",
    "entropy_nats": "S (nats)",
    "energy": "E (weight)",
    "free_energy": f"{style.MINUS}F",
}


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
    """Draw the means over prompts as images, [kind, layer] each: a row per model, a column per quantity.

    Args:
        thermodynamics: table `thermodynamics`.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models from top to bottom; by name when not given.

    Returns:
        A figure whose columns have one color scale each, logarithmic where the means span more than a factor of 10.
        The free energy is shown as -F. Cells without a value are hatched grey.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    usable, left_out, order = weights.select_weights(
        thermodynamics, prompt_set, condition, values=weights.QUANTITIES, models=models
    )
    usable = usable.assign(free_energy=-usable["free_energy"])
    kinds = weights.kinds_of(usable)
    n_layers = int(usable["layer"].max()) + 1 if len(usable) else 1
    tables = {
        (model, quantity): _table(usable[usable["model"] == model], quantity, kinds, n_layers)
        for model in order
        for quantity in weights.QUANTITIES
    }
    with style.house_style():
        height = (0.55 + 0.14 * len(kinds)) * len(order) + 0.5
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, height)
        axes = figure.subplots(len(order), 4, squeeze=False, sharex=True)
        for column, quantity in enumerate(weights.QUANTITIES):
            _column(figure, list(axes[:, column]), [tables[model, quantity] for model in order], quantity)
        for row, model in enumerate(order):
            labels = [weights.kind_label(kind) for kind in kinds]
            axes[row, 0].set_yticks(range(len(kinds)), labels=labels)
            axes[row, 0].set_title(style.wrap_name(model, 26), fontweight="bold")
        title = f"Weights by layer and kind of map on {about_set(prompt_set, count_prompts(usable), condition)}"
        return style.finish(figure, title, [*_notes(tables), *left_out_notes(left_out)])


def _table(rows: pd.DataFrame, quantity: str, kinds: Sequence[str], n_layers: int) -> np.ndarray:
    """[kind, layer], NaN where there is no value."""
    means = weights.depth_table(rows, quantity) if len(rows) else pd.DataFrame()
    return means.reindex(index=range(n_layers), columns=list(kinds)).to_numpy(dtype=float).T


def _column(figure: Figure, axes: Sequence[Axes], tables: Sequence[np.ndarray], quantity: str) -> None:
    norm = _norm(np.stack(tables))
    for ax, table in zip(axes, tables, strict=True):
        ax.set_yticks([])
        image = draw_image(ax, table, norm, COLORMAPS[quantity])
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes[-1].set_xlabel("block")
    bar = figure.colorbar(image, ax=list(axes), location="bottom", pad=0.02, aspect=20, fraction=0.06)
    bar.set_label(TITLES[quantity])
    if isinstance(norm, LogNorm):
        style.plain_log_labels(bar.ax.xaxis)
    else:
        bar.locator = MaxNLocator(nbins=4)
        bar.update_ticks()


def _norm(values: np.ndarray) -> Normalize:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Normalize(0, 1)
    low, high = float(finite.min()), float(finite.max())
    if low > 0 and needs_log(finite, COLORS_FROM_RATIO):
        return LogNorm(low, high)
    return Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)


def _notes(tables: dict[tuple[str, str], np.ndarray]) -> list[str]:
    notes = [
        f"T = ‖W‖ / ‖G‖, S entropy of σ/Σσ, E = Σσ² / Σσ, F = E {style.MINUS} T·S; one colour scale per column. "
        f"{weights.HOT} {weights.OUTSIDE}"
    ]
    if any(np.isnan(table).any() for table in tables.values()):
        notes.append("Hatched grey: the model has no such map there, or it has no value.")
    return notes
