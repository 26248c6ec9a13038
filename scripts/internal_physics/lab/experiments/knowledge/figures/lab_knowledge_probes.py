"""Where models hold what they know of a person: place × attribute, trained beside first weights, a row for each arm."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.heatmaps import draw_image
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.experiments.knowledge.experiment import (
    AFTER_NAME,
    INITIAL,
    LAB_KNOWLEDGE_PROBES,
    TRAINED_WEIGHTS,
)
from internal_physics.lab.experiments.knowledge.figures.lab_knowledge import texts_of_arm
from internal_physics.tables.read import read_table

PLACES = range(AFTER_NAME, len(ATTRIBUTES) + 1)
PLACE_NAMES = ["name alone", *(f"before value {place}" for place in PLACES if place != AFTER_NAME)]
COLUMNS = {TRAINED_WEIGHTS: "trained", INITIAL: "before training"}
_DARK_BELOW = 0.5


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_knowledge_probes"], LAB_KNOWLEDGE_PROBES))


def draw(probes: pd.DataFrame) -> Figure:
    """Draw mean accuracies over seeds as images with their numbers.

    Args:
        probes: table `lab_knowledge_probes`.
    """
    usable = probes[probes["status"] == OK]
    arms = sorted(usable["arm"].unique(), reverse=True)
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.6 * max(1, len(arms)) + 0.7)
        grid = figure.subplots(max(1, len(arms)), len(COLUMNS), squeeze=False, sharex=True, sharey=True)
        image = None
        for row, arm in zip(grid, arms, strict=False):
            of_arm = usable[usable["arm"] == arm]
            for ax, (weights, words) in zip(row, COLUMNS.items(), strict=True):
                image = _panel(ax, of_arm[of_arm["weights"] == weights])
                ax.set_title(f"{texts_of_arm(of_arm)}, {words}")
        if image is not None:
            figure.colorbar(image, ax=grid, label="share of tested people that the probe tells right", shrink=0.6)
        title = f"What a probe tells of a person, by place and attribute ({plural(usable['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes(usable))


def _panel(ax: Axes, rows: pd.DataFrame) -> AxesImage:
    means = rows.pivot_table(index="place", columns="attribute", values="accuracy", aggfunc="mean")
    table = means.reindex(index=list(PLACES), columns=list(ATTRIBUTES)).to_numpy(dtype=float)
    image = draw_image(ax, table, Normalize(0, 1), "viridis")
    for i, j in np.argwhere(np.isfinite(table)):
        color = "white" if table[i, j] < _DARK_BELOW else "black"
        ax.text(j, i, f"{table[i, j]:.2f}", ha="center", va="center", color=color, fontsize=7)
    ax.axhline(0.5, color="white", linewidth=2)
    ax.set_yticks(range(len(PLACES)), PLACE_NAMES)
    ax.set_xticks(range(len(ATTRIBUTES)), [name.replace("_", " ") for name in ATTRIBUTES], rotation=30, ha="right")
    return image


def _notes(rows: pd.DataFrame) -> list[str]:
    chance = rows["chance"].mean() if len(rows) else float("nan")
    return [
        "The model is frozen; probes are fitted on one group of people and judged on another. Above the line a probe "
        "reads a name and nothing else; below, a stored text, at the word before the value of its first to sixth "
        f"sentence. Of the birth date it tells the month. The commonest value alone is right for {chance:.2f}, the "
        "mean over attributes.",
    ]
