"""The spectrum behind ISF: eigenvalues of the gradients' covariance over prompts, and a power law."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from internal_physics.families.gradient_flow.tables import ISF_SPECTRA
from internal_physics.figures import style
from internal_physics.figures.by_set import by_set
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import left_out_notes, select
from internal_physics.figures.titles import in_condition
from internal_physics.ground.words import plural
from internal_physics.tables.read import TableBySet

MAX_COLUMNS = 4
PANEL_HEIGHT_INCHES = 2.3
# Centring takes one dimension: the last of P eigenvalues is 0 up to rounding, which a log axis would show as
# a plunge of ten decades that means nothing.
NUMERICALLY_ZERO = 1e-9
MIN_POINTS = 2  # that fix an exponent
RANK_TICKS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)


def figures(inputs: Inputs, *, models: Sequence[str], prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    return by_set(draw, TableBySet(inputs["isf_spectra"], ISF_SPECTRA), models, prompt_sets)


def draw(
    isf_spectra: pd.DataFrame,
    prompt_set: str,
    condition: str = "baseline",
    *,
    models: Sequence[str] | None = None,
) -> Figure:
    """Draw each model's eigenvalues against their rank on log-log axes, with its fitted a·k⁻ᵇ.

    Args:
        isf_spectra: rows (model, condition, prompt_set, rank, eigenvalue, fitted, status), rank 1..P.
        prompt_set: which prompt set.
        condition: which condition.
        models: order of the models, which fixes their looks; by name when not given.

    Returns:
        A figure with one panel per model on shared axes, eigenvalues and fit divided by the model's first
        eigenvalue. Eigenvalues below 1e-9 of the first cannot be shown and are counted beneath. A model
        with no usable rows has an empty panel.

    Raises:
        ValueError: columns are missing, or the table has no such prompt set and condition.
    """
    chosen = select(isf_spectra, prompt_set, condition, values=["eigenvalue", "fitted"], models=models)
    looks = style.model_styles(chosen.models)
    columns = min(MAX_COLUMNS, len(chosen.models))
    rows = -(-len(chosen.models) // columns)
    hidden: dict[str, int] = {}
    with style.house_style():
        width = style.PAGE_WIDTH_INCHES if columns > 1 else 0.6 * style.PAGE_WIDTH_INCHES
        figure = style.new_figure(width, PANEL_HEIGHT_INCHES * rows)
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        axes[0, 0].set(xscale="log", yscale="log")  # shared, so set for all, and also where nothing is drawn
        for ax, model in zip(axes.flat, chosen.models, strict=False):
            spectrum = chosen.usable[chosen.usable["model"] == model].sort_values("rank")
            is_whole = not (chosen.left_out["model"] == model).any()
            hidden[model] = _panel(ax, spectrum, looks[model], is_whole=is_whole)
            ax.set_title(style.wrap_name(model), fontweight="bold")
        _dress(axes, len(chosen.models))
        style.plain_log_labels(axes[0, 0].yaxis)
        title = _title(chosen.usable, prompt_set, condition)
        return style.finish(figure, title, _notes(hidden) + left_out_notes(chosen.left_out, "eigenvalue"))


def exponent(rank: np.ndarray, fitted: np.ndarray) -> float:
    """The b of a·k⁻ᵇ from its values at two or more rising ranks k; NaN when they are not positive."""
    if len(fitted) < MIN_POINTS or not (fitted > 0).all():
        return float("nan")
    return float(np.log(fitted[0] / fitted[-1]) / np.log(rank[-1] / rank[0]))


def relative_misfit(eigenvalues: np.ndarray, fitted: np.ndarray) -> float:
    """ISF = RMSE of the fit over (max - min) of the eigenvalues; NaN when those are all equal."""
    reach = float(np.ptp(eigenvalues))
    return float(np.sqrt(np.mean((eigenvalues - fitted) ** 2)) / reach) if reach > 0 else float("nan")


def _panel(ax: Axes, spectrum: pd.DataFrame, look: style.ModelStyle, *, is_whole: bool) -> int:
    """Draw one model; return how many of its eigenvalues a log axis cannot show."""
    eigenvalues, fitted = (spectrum[column].to_numpy(dtype=float) for column in ("eigenvalue", "fitted"))
    if spectrum.empty or eigenvalues[0] <= 0:
        style.empty_panel(ax, "no usable spectrum")
        return 0
    rank, scale = spectrum["rank"].to_numpy(), eigenvalues[0]
    shown = eigenvalues > NUMERICALLY_ZERO * scale
    ax.plot(
        rank[shown],
        eigenvalues[shown] / scale,
        color=look.color,
        marker=look.marker,
        linestyle="none",
        markersize=4,
        gid="eigenvalues",
    )
    ax.plot(rank, fitted / scale, color="#444444", linestyle="--", linewidth=1.2, gid="fit")
    misfit = f"{relative_misfit(eigenvalues, fitted):.3f}" if is_whole else "n/a"  # needs every rank
    b = exponent(rank, fitted)
    text = f"b = {f'{b:.2f}' if np.isfinite(b) else 'n/a'}\nISF = {misfit}"
    ax.text(0.05, 0.05, text, transform=ax.transAxes, va="bottom", gid="fit-text")
    return int((~shown).sum())


def _dress(axes: np.ndarray, n_models: int) -> None:
    n_columns = axes.shape[1]
    for index, ax in enumerate(axes.flat):
        if index >= n_models:
            ax.set_axis_off()
            continue
        ax.xaxis.set_major_locator(FixedLocator(RANK_TICKS))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(ScalarFormatter())
        if index + n_columns >= n_models:
            ax.set_xlabel("rank k")
            ax.tick_params(labelbottom=True)
        if index % n_columns == 0:
            ax.set_ylabel("eigenvalue / first\n(dimensionless)")


def _title(usable: pd.DataFrame, prompt_set: str, condition: str) -> str:
    sizes = usable.groupby("model")["rank"].max()
    size = ""
    if len(sizes):
        low, high = int(sizes.min()), int(sizes.max())
        size = f" ({low} to {high} prompts)" if low != high else f" ({plural(high, 'prompt')})"
    return f"Gradient spectrum over prompts and its power-law fit on {prompt_set}{size}{in_condition(condition)}"


def _notes(hidden: dict[str, int]) -> list[str]:
    notes = [
        "Markers: eigenvalues of the covariance of the concatenated gradients over prompts, divided by the "
        "model's first. Dashed: least-squares fit a·k⁻ᵇ over all ranks, in linear space, so the large "
        f"eigenvalues dominate it. ISF = RMSE / (max {style.MINUS} min)."
    ]
    if any(hidden.values()):
        counts = sorted({count for count in hidden.values() if count})
        number = str(counts[0]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
        notes.append(
            f"Not shown: eigenvalues that are 0 up to rounding ({number} per model, since centring takes one "
            "of the P dimensions). They take part in the fit but have no place on a log axis."
        )
    return notes
