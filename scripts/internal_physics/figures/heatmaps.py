"""What the heatmaps share: an image on a hatched ground, and white lines between its rows."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from internal_physics.figures import style


def draw_image(ax: Axes, table: np.ndarray, norm: Normalize, colormap: str) -> AxesImage:
    """Draw a table [row, column] from top to bottom; a cell that is not finite shows the hatched ground."""
    draw_ground(ax, *table.shape)
    return ax.imshow(np.ma.masked_invalid(table), aspect="auto", norm=norm, cmap=colormap, zorder=1)


def draw_ground(ax: Axes, n_rows: int, n_columns: int) -> None:
    """Hatch the place of all cells in grey, and take away grid, spines and the ticks of the rows."""
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ground = Rectangle((-0.5, -0.5), n_columns, n_rows, facecolor=style.BLANK_COLOR, hatch=style.BLANK_HATCH)
    ax.add_patch(ground).set(linewidth=0, zorder=0)


def separate_rows(ax: Axes, n_rows: int) -> None:
    """Draw a white line between neighbouring rows."""
    ax.set_yticks(np.arange(0.5, n_rows - 1), minor=True)
    ax.grid(which="minor", axis="y", color="white", linewidth=1.5)
    ax.set_axisbelow(False)
    ax.tick_params(which="minor", length=0)
