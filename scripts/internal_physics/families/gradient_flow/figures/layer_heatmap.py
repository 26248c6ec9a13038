"""Model by layer heatmaps of e_l, c_l and the gradient norm, averaged over prompts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.scores.tables import LAYERS
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image, separate_rows
from internal_physics.figures.scales import COLORS_FROM_RATIO, needs_log
from internal_physics.figures.selection import Selection, count_prompts, left_out_notes, select
from internal_physics.figures.titles import in_condition
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet


@dataclass(frozen=True)
class Panel:
    """One heatmap: what it shows, the label of its color bar and its color map."""

    quantity: str
    title: str
    label: str
    colormap: str


PANELS = (
    Panel(
        "relative_gradient_change",
        f"Mean relative gradient change $e_l$ = ‖ΔA{style.MINUS}ΔB‖ / ‖ΔB‖, block l",
        "dimensionless",
        "viridis",
    ),
    Panel(
        "gradient_cosine",
        "Mean gradient cosine $c_l$ = cos(ΔA, ΔB), block l",
        "dimensionless",
        "cividis",
    ),
    Panel(
        "gradient_norm",
        "Mean gradient norm ‖∂f/∂residual[l]‖, log10 (l = L: what leaves the last of L blocks)",
        "log10 (nats per\nunit residual)",
        "magma",
    ),
)
DIVERGING_COLORMAP = "PuOr"


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["layers"], LAYERS), models, prompt_sets)


def draw(
    layers: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw three model-by-layer heatmaps: mean $e_l$, mean $c_l$ and log10 of the mean gradient norm.

    Args:
        layers: rows (model, condition, prompt_set, prompt, layer, quantity, value, status).
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models from top to bottom; by name when not given.

    Returns:
        A figure with one panel per quantity. e_l has a logarithmic color scale when its means span more than a
        factor of 10; c_l a diverging one when its means change sign. Cells without a value (a shallower
        model, no usable row, a mean norm of 0) are hatched grey and explained beneath.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    chosen = select(layers, prompt_set, condition, values=["value"], models=models)
    means = {panel.quantity: mean_by_layer(chosen, panel.quantity) for panel in PANELS}
    with style.house_style():
        height = max(1.4, 0.7 + 0.23 * len(chosen.models))
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, height * len(PANELS))
        axes = figure.subplots(len(PANELS), 1, squeeze=False)[:, 0]
        for ax, panel in zip(axes, PANELS, strict=True):
            _panel(figure, ax, means[panel.quantity], panel, chosen.models)
        axes[-1].set_xlabel("layer l (0 = first)")
        title = _title(chosen, prompt_set, condition)
        return style.finish(figure, title, _notes(chosen, means))


def mean_by_layer(chosen: Selection, quantity: str) -> pd.DataFrame:
    """Mean over prompts, [model, layer], NaN where there is no value; of the gradient norm its log10."""
    rows = chosen.usable[chosen.usable["quantity"] == quantity]
    table = rows.pivot_table(index="model", columns="layer", values="value", aggfunc="mean")
    n_layers = 0 if rows.empty else int(rows["layer"].max()) + 1
    table = table.reindex(index=list(chosen.models), columns=range(n_layers)).astype(float)
    return np.log10(table.where(table > 0)) if quantity == "gradient_norm" else table


def color_scale(values: np.ndarray, panel: Panel) -> tuple[Normalize, str]:
    """Color norm and map of the finite values: sequential, or diverging about 0 for cosines of both signs."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if panel.quantity == "gradient_cosine" and low < 0 < high:
        reach = max(-low, high)
        return TwoSlopeNorm(0.0, -reach, reach), DIVERGING_COLORMAP
    if panel.quantity == "relative_gradient_change" and low > 0 and needs_log(values, COLORS_FROM_RATIO):
        return LogNorm(low, high), panel.colormap
    if low == high:  # a scale needs a width; the value itself then sits in the middle
        low, high = low - 0.5, high + 0.5
    return Normalize(low, high), panel.colormap


def _panel(figure: Figure, ax: Axes, means: pd.DataFrame, panel: Panel, models: Sequence[str]) -> None:
    ax.set_title(panel.title)
    ax.set_yticks(range(len(models)), labels=[style.wrap_name(model, 26) for model in models])
    values = means.to_numpy()
    if not np.isfinite(values).any():
        ax.set_xticks([])
        style.empty_panel(ax)
        return
    norm, colormap = color_scale(values, panel)
    image = draw_image(ax, values, norm, colormap)
    separate_rows(ax, len(models))
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    bar = figure.colorbar(image, ax=ax, pad=0.01, fraction=0.05, aspect=12)
    bar.set_label(panel.label)
    if isinstance(norm, LogNorm):
        style.plain_log_labels(bar.ax.yaxis)


def _title(chosen: Selection, prompt_set: str, condition: str) -> str:
    prompts = plural(count_prompts(chosen.usable), "prompt")
    return f"Gradient flow of each model by layer on {prompt_set} (mean over {prompts}){in_condition(condition)}"


def _notes(chosen: Selection, means: dict[str, pd.DataFrame]) -> list[str]:
    notes = [
        "ΔA = ∂f/∂residual[l] and ΔB = ∂f/∂residual[l+1]: the gradient before and after block l; f is the loss, or "
        "what record.target names."
    ]
    if any(table.isna().to_numpy().any() for table in means.values()):
        notes.append(
            "Hatched grey: no value there, because the model has fewer layers, its rows are left out, or its "
            "mean norm is 0."
        )
    return notes + left_out_notes(chosen.left_out)
