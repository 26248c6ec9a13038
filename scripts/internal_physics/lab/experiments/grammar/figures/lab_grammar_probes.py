"""What can be read off the residuals of models of a grammar, along depth: trained against random weights."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.grammar.experiment import LAB_GRAMMAR_PROBES
from internal_physics.tables.read import read_table

TARGETS = {"symbol": "which symbol", "boundary": "end of a subtree?"}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_grammar_probes"], LAB_GRAMMAR_PROBES))


def draw(probes: pd.DataFrame) -> Figure:
    """Draw accuracies against the residual, one panel for each target (rows) and level (columns).

    Args:
        probes: table `lab_grammar_probes`.
    """
    arms, levels = sorted(probes["arm"].unique()), sorted(probes["level"].unique(), reverse=True)
    looks = style.model_styles(arms)
    with style.house_style():
        width = min(style.PAGE_WIDTH_INCHES, 1.2 + 3.0 * len(levels))
        figure = style.new_figure(width, 2.3 * len(TARGETS))
        grid = figure.subplots(len(TARGETS), len(levels), sharex=True, sharey=True, squeeze=False)
        for row, (target, words) in zip(grid, TARGETS.items(), strict=True):
            for ax, level in zip(row, levels, strict=True):
                _panel(ax, probes[(probes["target"] == target) & (probes["level"] == level)], looks)
                ax.set_title(f"{words} ({level})")
            row[0].set_ylabel("accuracy")
        for ax in grid[-1]:
            ax.set_xlabel("residual l (0 = embedding)")
        grid[0][0].legend()
        seeds = plural(probes["seed"].nunique(), "seed")
        title = f"The tree in the residuals: linear probes on frozen models ({seeds})"
        return style.finish(figure, title, _notes())


def _panel(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    for (arm, weights), of_arm in rows.groupby(["arm", "weights"], sort=True):
        look, by_residual = looks[str(arm)], of_arm.groupby("residual")["accuracy"]
        is_trained = weights == "trained"
        mean = by_residual.mean()
        ax.plot(
            mean.index,
            mean,
            color=look.color,
            marker=look.marker if is_trained else "",
            linestyle="-" if is_trained else ":",
            markersize=4,
            label=style.literal(str(arm)) if is_trained else None,
        )
        ax.fill_between(mean.index, by_residual.min(), by_residual.max(), color=look.color, alpha=0.15, linewidth=0)
    if len(rows):
        ax.axhline(rows["majority"].mean(), color="#444444", linewidth=0.8, linestyle=(0, (5, 2)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _notes() -> list[str]:
    return [
        "Solid: trained models; dotted: the same models with random weights; dashed: the commonest class. Bands span "
        "the seeds.",
        "Above: the symbol of a level over the last token of its subtree. Below: whether a token is the last of a "
        "subtree of the level. A level with a larger number is nearer to the tokens.",
    ]
