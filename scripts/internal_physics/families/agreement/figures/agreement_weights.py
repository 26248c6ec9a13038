"""Agreement of weight gradients: cosine with the reference's gradient, by layer and kind of map."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from internal_physics.families.agreement.figures.lines import between_rows
from internal_physics.families.agreement.tables import AGREEMENT_MEANS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import order_models, require_columns
from internal_physics.ground.words import plural
from internal_physics.models.kinds import KINDS
from internal_physics.tables.read import TableBySet

QUANTITY = "weight_gradient_cosine"
COLORMAP = "viridis"
MAX_COLUMNS = 3
_NARROWEST = 1e-3  # span of the color scale: models that agree fully must not show rounding as colors
NOTE = (
    "Cosine of the whole gradient of each weight with that of the reference: mean over prompts, and over the weights "
    "of one kind in a block. 1: the prompt pulls the weight in the same direction. Embeddings and readout have no "
    "depth and are not drawn. Hatched grey: no such map, or no number."
)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """The one figure of a run."""
    table = TableBySet(inputs["agreement_means"], AGREEMENT_MEANS)
    rows = [_of_set(table.of_set(name), name) for name in prompt_sets]
    yield "", draw(pd.concat(rows, ignore_index=True), models=models, prompt_sets=prompt_sets)


def draw(
    agreement_means: pd.DataFrame, *, models: Sequence[str] | None = None, prompt_sets: Sequence[str] | None = None
) -> Figure:
    """Draw an image [kind, layer] for each model and each prompt set that keeps exact weight gradients.

    Args:
        agreement_means: table `agreement_means`.
        models: their order; by name when not given.
        prompt_sets: their order; by name when not given.

    Returns:
        A figure of images that share one color scale, from the smallest cosine to 1. Where no set has weight
        gradients of comparable models, one panel says so.

    Raises:
        ValueError: columns are missing.
    """
    require_columns(agreement_means, list(AGREEMENT_MEANS.columns))
    sets = sorted(set(agreement_means["prompt_set"])) if prompt_sets is None else list(prompt_sets)
    rows = pd.concat([_of_set(agreement_means, name) for name in sets] or [agreement_means.iloc[:0]])
    panels = list(_panels(rows, order_models({*agreement_means["model"], *agreement_means["reference"]}, models), sets))
    with style.house_style():
        if not panels:
            return _empty()
        return _figure(rows, panels)


def _of_set(means: pd.DataFrame, prompt_set: str) -> pd.DataFrame:
    """Rows of weights inside the blocks that have a cosine."""
    rows = between_rows(means, prompt_set, "models")
    inside = (rows["quantity"] == QUANTITY) & (rows["layer"] >= 0) & ~rows["kind"].isin(("readout", "embedding"))
    return rows[inside.fillna(False).astype(bool) & np.isfinite(rows["mean"])]


def _panels(rows: pd.DataFrame, models: Sequence[str], sets: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and rows of every panel."""
    for prompt_set in sets:
        for model in models:
            own = rows[(rows["prompt_set"] == prompt_set) & (rows["model"] == model)]
            if len(own):
                n = plural(int(own["n_prompts"].max()), "prompt")
                yield f"{model}\n{prompt_set} ({n})", own


def _figure(rows: pd.DataFrame, panels: Sequence[tuple[str, pd.DataFrame]]) -> Figure:
    kinds = [kind for kind in KINDS if kind in set(rows["kind"])]
    n_layers = int(rows["layer"].max()) + 1
    n_columns = min(MAX_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, (0.75 + 0.17 * len(kinds)) * n_rows + 0.6)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
    low = float(rows["mean"].min())
    for ax, (title, own) in zip(axes.flat, panels, strict=False):
        table = own.pivot_table(index="kind", columns="layer", values="mean").reindex(kinds, axis=0)
        image = _image(ax, table.reindex(range(n_layers), axis=1).to_numpy(dtype=float), low)
        ax.set_title(style.literal(title), fontweight="bold")
        ax.set_yticks(range(len(kinds)), labels=[kind.replace("_", " ") for kind in kinds])
        ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel("block")
    bar = figure.colorbar(image, ax=axes, location="bottom", pad=0.03, aspect=40, fraction=0.06)
    bar.set_label("cosine with the reference's weight gradient")
    names = list(rows["reference"].drop_duplicates())
    reference = names[0] if len(names) == 1 else "the reference model"
    return style.finish(figure, f"Agreement of weight gradients with {reference}", [NOTE])


def _image(ax: Axes, table: np.ndarray, low: float) -> AxesImage:
    """Draw [kind, layer]; NaN shows the hatched ground."""
    ax.grid(False)
    ax.set_facecolor(style.BLANK_COLOR)
    ax.patch.set_hatch(style.BLANK_HATCH)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    low = min(low, 1 - _NARROWEST)
    return ax.imshow(np.ma.masked_invalid(table), aspect="auto", cmap=COLORMAP, vmin=low, vmax=1.0)


def _empty() -> Figure:
    figure = style.new_figure(0.65 * style.PAGE_WIDTH_INCHES, 1.5)
    ax = figure.add_subplot()
    style.empty_panel(ax, "no weight gradients of comparable models")
    ax.set(xticks=[], yticks=[])
    return style.finish(figure, "Agreement of weight gradients", [NOTE])
