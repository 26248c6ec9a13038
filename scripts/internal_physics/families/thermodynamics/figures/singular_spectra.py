"""Singular spectra of a model's weights: a panel per kind of map, layers as a color ramp, and power laws of the
tails.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.thermodynamics.figures import weights
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import require_columns
from internal_physics.ground.words import plural
from internal_physics.models.kinds import expert_of
from internal_physics.tables.rows import read_rows

MAX_COLUMNS = 4
PANEL_HEIGHT_INCHES = 1.9
COLORMAP = "viridis"
OUTSIDE_COLOR = "#555555"  # of maps outside the blocks
LOWEST_SHOWN = 0.03  # share of the smallest singular values that may run off the axis
_RAMP = 0.92  # of the color map: its yellow end is too faint on white


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """One figure for each model, from its file in results/weights."""
    for model, path in zip(models, inputs["weights"], strict=True):
        yield model, draw(read_rows(path), model)


def draw(spectra: pd.DataFrame, model: str) -> Figure:
    """Draw the singular values of every weight of one model against their rank, on log-log axes.

    Args:
        spectra: rows as results/weights/{model}.parquet has them: kind, layer, singular_values, error_bound, alpha,
            tail_minimum, n_tail, status.
        model: its name, for the title.

    Returns:
        A figure with one panel per kind on shared axes; the experts of a block are one line, their median.
        Dashed: where the power law that was fitted to the density of
        σ² says the singular values of the tail lie, for the first, middle and last layer that have one. Singular values
        below their own error bound are rounding and not drawn.

    Raises:
        ValueError: columns are missing, or there are no rows.
    """
    require_columns(spectra, ["kind", "layer", "singular_values", "error_bound", "alpha", "n_tail", "status"])
    if spectra.empty:
        raise ValueError(f"no spectra of {model!r}")
    usable = merge_experts(spectra[spectra["method"] != "none"])
    kinds = weights.kinds_of(usable)
    columns = min(MAX_COLUMNS, max(1, len(kinds)))
    rows = max(1, -(-len(kinds) // columns))
    top = max(1, int(usable["layer"].max()) if len(usable) else 1) / _RAMP
    ramp = Normalize(0, top)
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES * (1.0 if columns > 2 else 0.6)
        figure = style.new_figure(width, PANEL_HEIGHT_INCHES * rows + 0.4)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        axes[0, 0].set(xscale="log", yscale="log")
        for ax, kind in zip(axes.flat, kinds, strict=False):
            _panel(ax, usable[usable["kind"] == kind].sort_values("layer"), ramp)
            ax.set_title(weights.kind_label(kind), fontweight="bold")
        _dress(axes, len(kinds))
        axes[0, 0].set_ylim(*_reach(usable))
        mapped = ScalarMappable(ramp, COLORMAP)
        bar = figure.colorbar(mapped, ax=axes, aspect=40, pad=0.02, boundaries=np.linspace(0, top * _RAMP, 256))
        bar.set_label("block (0 = first)")
        bar.locator = MaxNLocator(nbins=6, integer=True)
        bar.update_ticks()
        return style.finish(figure, f"Singular spectra of the weights of {model}", _notes(spectra))


def merge_experts(spectra: pd.DataFrame) -> pd.DataFrame:
    """The experts of a kind in a block as one row: medians of each singular value and of the tail's numbers."""
    is_expert = spectra["parameter"].map(expert_of).notna()
    merged = []
    for _, rows in spectra[is_expert].groupby(["kind", "layer"], sort=False):
        middle = rows[["alpha", "tail_minimum", "n_tail", "error_bound"]].median()
        values = np.median(np.stack(list(rows["singular_values"])), axis=0)
        tail = {**middle, "n_tail": int(np.nan_to_num(middle["n_tail"]))}
        merged.append({**rows.iloc[0], **tail, "singular_values": values})
    return pd.concat([spectra[~is_expert], pd.DataFrame(merged, columns=spectra.columns)]) if merged else spectra


def tail_law(alpha: float, tail_minimum: float, n_tail: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranks 1..n_tail and the singular values there of a density λ^(-alpha) above λ_min, λ = σ².

    The share of the tail above λ is (λ/λ_min)^(1-alpha), so rank k lies at λ_min·(k/n_tail)^(-1/(alpha-1)).
    """
    rank = np.arange(1, n_tail + 1)
    return rank, np.sqrt(tail_minimum * (rank / n_tail) ** (-1.0 / (alpha - 1.0)))


def _panel(ax: Axes, rows: pd.DataFrame, ramp: Normalize) -> None:
    colors = ScalarMappable(ramp, COLORMAP)
    for row in rows.itertuples():
        values = np.asarray(row.singular_values, dtype=float)
        shown = values[values > row.error_bound]
        color = OUTSIDE_COLOR if row.kind in weights.OUTSIDE_KINDS else colors.to_rgba(row.layer)
        ax.plot(np.arange(1, len(shown) + 1), shown, color=color, linewidth=0.7, alpha=0.9, gid="spectrum")
    fitted = rows[np.isfinite(rows["alpha"])]
    for place in sorted({0, len(fitted) // 2, len(fitted) - 1} if len(fitted) else set()):
        row = fitted.iloc[place]
        ax.plot(
            *tail_law(row.alpha, row.tail_minimum, row.n_tail), color="black", linewidth=0.9, dashes=(3, 1.5), gid="fit"
        )
    if len(fitted):
        text = f"α = {fitted['alpha'].median():.1f}" + (" (median)" if len(fitted) > 1 else "")
        ax.text(0.05, 0.06, text, transform=ax.transAxes, va="bottom", gid="alpha")


def _reach(usable: pd.DataFrame) -> tuple[float, float]:
    """Ends of the σ axis. A spectrum ends with a drop of many decades, which would fill an axis that shows it all."""
    spectra = [v[v > 0] for v in usable["singular_values"].map(np.asarray) if (v > 0).any()]
    if not spectra:
        return 0.1, 10.0
    return 0.5 * min(np.quantile(v, LOWEST_SHOWN) for v in spectra), 1.5 * max(v.max() for v in spectra)


def _dress(axes: np.ndarray, n_kinds: int) -> None:
    n_columns = axes.shape[1]
    for index, ax in enumerate(axes.flat):
        if index >= n_kinds:
            ax.set_axis_off()
            continue
        if index + n_columns >= n_kinds:
            ax.set_xlabel("rank k")
            ax.tick_params(labelbottom=True)
        if index % n_columns == 0:
            ax.set_ylabel("singular value σ\n(weight)")
    style.plain_log_labels(axes[0, 0].yaxis)
    style.plain_log_labels(axes[0, 0].xaxis)


def _notes(spectra: pd.DataFrame) -> list[str]:
    notes = [
        "Dashed: power law of the tail, density of λ = σ² proportional to λ to the power of minus α, by maximum "
        "likelihood, for the first, middle and last layer. Experts of a block: their "
        "median. Singular values below their error bound are not drawn, "
        "and the smallest may run off the axis."
    ]
    bad = spectra[spectra["method"] == "none"]
    if len(bad):
        reasons = "; ".join(f"{row.parameter} ({row.status})" for row in bad.head(3).itertuples())
        notes.append(f"Left out: {plural(len(bad), 'weight')}: {reasons}.")
    return notes
