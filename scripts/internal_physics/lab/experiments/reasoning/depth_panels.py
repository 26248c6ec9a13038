"""Panels of table `lab_reasoning_depth`: how well it is told what the answer needs, by block and by distance."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from internal_physics.lab.probes.problem_columns import RANDOM, TRAINED
from internal_physics.lab.probes.problem_figure import guess_line

_DARKEST, _LIGHTEST = 0.0, 0.85  # of the color map: its yellow is too faint on white


def depth_panel(ax: Axes, rows: pd.DataFrame, farthest: int) -> None:
    """Draw accuracy against block, one color per distance, and random weights over all distances; means over seeds.

    Args:
        ax: to draw into.
        rows: of one arm.
        farthest: the largest distance of all arms, so that a color means the same in all of them.
    """
    trained = rows[rows["told_by"] == TRAINED]
    for distance, own in trained.groupby("distance"):
        mean = own.groupby("layer")["accuracy"].mean()
        color = mpl.colormaps["viridis"](_DARKEST + (_LIGHTEST - _DARKEST) * (int(distance) - 1) / max(farthest - 1, 1))
        ax.plot(mean.index, mean, color=color, marker="o", markersize=3, label=f"{distance} from the query")
    mean = over_distances(rows[rows["told_by"] == RANDOM])
    ax.plot(mean.index, mean, color="#888888", marker="x", markersize=3, linewidth=1, label="random weights, all")
    guess_line(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(ylim=(0.4, 1.0), xlabel="read after block")


def over_distances(rows: pd.DataFrame) -> pd.Series:
    """Balanced accuracy over all distances, by layer: the mean, each distance as often as it was asked."""
    weighted = (rows["accuracy"] * rows["n_items"]).groupby(rows["layer"]).sum()
    return weighted / rows.groupby("layer")["n_items"].sum()
