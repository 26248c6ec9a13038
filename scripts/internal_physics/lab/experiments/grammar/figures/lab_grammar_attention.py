"""Attention of models of a grammar beyond what places explain: to ends of subtrees, and between them."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.arm_lines import seeds_and_mean
from internal_physics.lab.experiments.grammar.experiment import LAB_GRAMMAR_ATTENTION
from internal_physics.tables.read import read_table

PAIRS = {
    "to_end": ("to token i, an end at i + shift", "shift (tokens)"),
    "between_ends": ("from an end to an earlier end", "how many subtrees earlier"),
}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_grammar_attention"], LAB_GRAMMAR_ATTENTION))


def draw(attention: pd.DataFrame) -> Figure:
    """Draw excess attention against the offset, one panel for each kind of pairs (rows) and level (columns).

    Args:
        attention: table `lab_grammar_attention`; blocks are averaged.
    """
    usable = attention[attention["status"] == OK]
    arms, levels = sorted(usable["arm"].unique()), sorted(usable["level"].unique(), reverse=True)
    looks = style.model_styles(arms)
    means = usable.groupby(["arm", "seed", "level", "pairs", "offset"], as_index=False)["excess_attention"].mean()
    with style.house_style():
        width = min(style.PAGE_WIDTH_INCHES, 1.2 + 3.0 * len(levels))
        figure = style.new_figure(width, 2.3 * len(PAIRS))
        grid = figure.subplots(len(PAIRS), len(levels), sharex="row", sharey="row", squeeze=False)
        for row, (pairs, (words, offsets)) in zip(grid, PAIRS.items(), strict=True):
            for ax, level in zip(row, levels, strict=True):
                _panel(ax, means[(means["pairs"] == pairs) & (means["level"] == level)], looks)
                ax.set(title=f"{words} ({level})", xlabel=offsets)
            row[0].set_ylabel("attention beyond\nplaces (1)")
        grid[0][0].legend()
        seeds = plural(usable["seed"].nunique(), "seed")
        title = f"Attention to the ends of subtrees, beyond what places explain ({seeds})"
        return style.finish(figure, title, _notes())


def _panel(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    ax.axhline(0, color="#444444", linewidth=0.8)
    seeds_and_mean(ax, rows, "excess_attention", looks, along="offset")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _notes() -> list[str]:
    return [
        "Mean over blocks, heads and pairs of tokens of the attention minus its mean over all strings at the same two "
        "places; thin lines are seeds. Uniform attention is zero by construction.",
        "Above, a peak at shift 0: tokens that end a subtree are read more than their neighbours. Below: both tokens "
        "end a subtree of this level and of no level above.",
    ]
