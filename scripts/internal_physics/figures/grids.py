"""Small multiples with a column per model, in blocks of at most four models."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

MAX_COLUMNS = 4


def columns_and_blocks(n_models: int) -> tuple[int, int]:
    """How many models stand side by side, and how many blocks of them one below the other."""
    columns = min(MAX_COLUMNS, n_models)
    return columns, -(-n_models // columns)


def model_panels(
    figure: Figure,
    grid: GridSpec,
    n_models: int,
    n_rows: int,
    *,
    first_row: int = 0,
    share_x: bool = False,
    one_scale: bool = False,
) -> list[list[Axes]]:
    """Add `n_rows` panels for each model; only those of the first column show the numbers of their y axis.

    Args:
        figure: gets the panels.
        grid: of as many columns as models stand side by side.
        n_models: number of models.
        n_rows: panels of each model, one below the other.
        first_row: of the grid that the panels begin in.
        share_x: whether the panels of a model share their x axis.
        one_scale: whether all panels share one y axis; else those of a row do, over all models.

    Returns:
        Axes [model][row].
    """
    shared: dict[int, Axes] = {}
    panels: list[list[Axes]] = []
    for index in range(n_models):
        block, column = divmod(index, grid.ncols)
        panels.append([])
        for row in range(n_rows):
            scale = 0 if one_scale else row
            cell, above = grid[first_row + n_rows * block + row, column], panels[-1][0] if row and share_x else None
            ax = figure.add_subplot(cell, sharex=above, sharey=shared.get(scale))
            shared.setdefault(scale, ax)
            ax.tick_params(which="both", labelleft=column == 0)
            panels[-1].append(ax)
    return panels
