"""Eigenvalues of the cosine kernel of every model: in how many directions do the prompts pull?"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.families.kernel.figures.shown import empty, of_model, same_kernel
from internal_physics.families.kernel.tables import KERNEL_SPECTRA, KERNEL_SUMMARY
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.tables.read import read_table

TITLE = "In how many directions do the prompts pull?"
NOTE = (
    "The effective rank is exp of the entropy of the shares: 1 if all gradients are parallel, the number of prompts if "
    "all are orthogonal. Compare models on equal numbers of prompts."
)
_PANELS = {
    "share": "Kernel: long gradients count more",
    "cosine_share": "Cosine kernel: every prompt counts the same",
}
_RANKS = {"share": "effective_rank", "cosine_share": "cosine_effective_rank"}


def figures(inputs: Inputs, *, models: Sequence[str]) -> Figures:
    """The one figure of a run."""
    spectra = read_table(inputs["kernel_spectra"], KERNEL_SPECTRA)
    yield "", draw(spectra, read_table(inputs["kernel_summary"], KERNEL_SUMMARY), models=models)


def draw(
    kernel_spectra: pd.DataFrame, kernel_summary: pd.DataFrame, condition: str = "baseline", *, models: Sequence[str]
) -> Figure:
    """Draw the cumulative share of the eigenvalues against their rank, a line per model; raw left, cosine right.

    Args:
        kernel_spectra: table `kernel_spectra`.
        kernel_summary: table `kernel_summary`, for the effective ranks.
        condition: which condition.
        models: their order, which fixes their looks.

    Returns:
        A figure of two panels that share their axes. Without a kernel, a figure that says so.
    """
    looks = style.model_styles(models)
    rows = {model: of_model(kernel_spectra, model, condition) for model in models}
    shown = {model: own for model, own in rows.items() if len(own)}
    with style.house_style():
        if not shown:
            return empty(TITLE)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.9)
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (column, title) in zip(axes, _PANELS.items(), strict=True):
            for model, own in shown.items():
                rank = float(same_kernel(kernel_summary, own)[_RANKS[column]].iat[0])
                _line(ax, own, column, looks[model], f"{model}: effective rank {rank:.1f}")
            ax.set_title(title, fontweight="bold")
            ax.legend(loc="lower right")
        axes[0].set_ylabel("cumulative share (dimensionless)")
        prompts = sorted({len(own) for own in shown.values()})
        numbers = plural(prompts[0], "prompt") if len(prompts) == 1 else f"{prompts[0]} to {prompts[-1]} prompts"
        return style.finish(figure, f"{TITLE} ({numbers})", [NOTE])


def _line(ax: Axes, rows: pd.DataFrame, column: str, look: style.ModelStyle, label: str) -> None:
    cumulative = rows.sort_values("rank")[column].cumsum()
    marker: dict[str, Any] = {"marker": look.marker if len(rows) <= 20 else None, "markersize": 4}
    ax.plot(
        range(1, len(rows) + 1),
        cumulative,
        color=look.color,
        linestyle=look.linestyle,
        label=style.literal(label),
        **marker,
    )
    ax.set_ylim(0, 1.03)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.set_xlabel("eigenvalues, the largest first")
