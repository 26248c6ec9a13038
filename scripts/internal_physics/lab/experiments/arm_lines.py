"""Lines of arms: every seed thin, their mean thick."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from internal_physics.figures.style import ModelStyle, literal


def seeds_and_mean(
    ax: Axes, rows: pd.DataFrame, column: str, looks: Mapping[str, ModelStyle], along: str = "step"
) -> None:
    """Draw a column against another, one color per arm; the legend names arms once.

    Args:
        ax: to draw into.
        rows: with the columns arm, seed, `along` and `column`, one row for each of arm, seed and `along`.
        column: what is drawn.
        looks: of the arms.
        along: the horizontal axis.
    """
    for arm, of_arm in rows.groupby("arm", sort=True):
        look = looks[str(arm)]
        for _, of_seed in of_arm.groupby("seed"):
            ordered = of_seed.sort_values(along)
            ax.plot(ordered[along], ordered[column], color=look.color, linewidth=0.6, alpha=0.6)
        mean = of_arm.groupby(along)[column].mean()
        ax.plot(mean.index, mean, **look.line(), linewidth=1.6, markersize=4, label=literal(str(arm)))
