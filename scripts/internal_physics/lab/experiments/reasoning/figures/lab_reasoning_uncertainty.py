"""Do entropy, surprisal and residual gain rise where a model's own solution goes wrong?"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.arm_lines import seeds_and_mean
from internal_physics.lab.experiments.reasoning.area import area_of
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING_FORESIGHT
from internal_physics.tables.read import read_table

SIGNALS = {"entropy": "entropy", "surprisal": "surprisal", "last_gain": "gain of the last block"}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_reasoning_foresight"], LAB_REASONING_FORESIGHT))


def draw(shown: pd.DataFrame) -> Figure:
    """Draw the AUC of each signal against operations, one color per arm.

    Args:
        shown: table `lab_reasoning_foresight`.
    """
    areas = _areas(shown)
    looks = style.model_styles(sorted(areas["arm"].unique()))
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.8)
        axes = figure.subplots(1, 3, sharex=True, sharey=True)
        for ax, (signal, words) in zip(axes, SIGNALS.items(), strict=True):
            _panel(ax, areas[areas["signal"] == signal], looks)
            ax.set(title=words, xlabel="operations needed")
        axes[0].set(ylabel="AUC: wrong choices above right ones", ylim=(0, 1.02))
        axes[0].legend(loc="lower left", fontsize="x-small")
        title = f"Is a model unsure where its solution goes wrong? ({plural(shown['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes())


def _areas(shown: pd.DataFrame) -> pd.DataFrame:
    """Columns arm, seed, signal, operations, area; without those that have no wrong or no right choice."""
    keys = ["arm", "seed", "signal", "operations"]
    usable = shown[shown["signal"].isin(SIGNALS)]
    rows = [(*key, area_of(own)) for key, own in usable.groupby(keys)]
    return pd.DataFrame(rows, columns=[*keys, "area"]).dropna()


def _panel(ax: Axes, areas: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    seeds_and_mean(ax, areas, "area", looks, along="operations")
    ax.axhline(0.5, color="#444444", linewidth=0.8, linestyle=(0, (5, 2)))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _notes() -> list[str]:
    return [
        "Read at the token before each step that a model wrote, up to its first error; a choice is wrong if the "
        "parameter cannot be computed, was computed before, or the solution ends too early.",
        "AUC: probability that the signal is larger before a wrong choice than before a right one; dashed: a guess.",
    ]
