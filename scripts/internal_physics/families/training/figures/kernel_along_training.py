"""The tangent kernel of the checkpoints of a training against its step: distance, velocity, size and rank."""

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.families.training.figures.steps import legend, lines, looks_of, scale_steps
from internal_physics.families.training.tables import LOSS, TRAINING, TRAINING_KERNELS
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import require_columns
from internal_physics.ground.status import OK
from internal_physics.tables.read import read_table

PANELS = {  # column → title
    "distance_from_first": "distance from the first checkpoint",
    "velocity": "velocity: distance from the checkpoint before",
    "trace": "trace (nats² / weight², log)",
    "effective_rank": "effective rank (prompts)",
}


def figures(inputs: Inputs) -> Figures:
    """One figure of the run."""
    yield "", draw(read_table(inputs["training"], TRAINING), read_table(inputs["training_kernels"], TRAINING_KERNELS))


def draw(training: pd.DataFrame, training_kernels: pd.DataFrame) -> Figure:
    """Draw the kernels of all trainings; exact ones where a training has both kinds.

    Args:
        training: table `training`, for the loss.
        training_kernels: table of that name. Without rows, a single panel says so.
    """
    require_columns(training_kernels, list(TRAINING_KERNELS.columns))
    usable = training_kernels[training_kernels["status"] == OK].sort_values("source")  # factors before sketch
    sources = usable.groupby("parent")["source"].transform("first")
    rows = usable[usable["source"] == sources]
    title = "The kernel between prompts along training"
    with style.house_style():
        if rows.empty:
            figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.5)
            style.empty_panel(figure.add_subplot(), "no kernels of checkpoints that share prompts")
            return style.finish(figure, title)
        return style.finish(_grid(training, rows), title, _notes(rows))


def _grid(training: pd.DataFrame, rows: pd.DataFrame) -> Figure:
    looks = looks_of(training, rows)
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, 5.2)
    grid = figure.subplots(3, 2, sharex=True)
    loss = training[(training["quantity"] == LOSS) & (training["status"] == OK) & training["parent"].isin(list(looks))]
    means = loss.groupby(["parent", "step"], as_index=False)["value"].mean()
    lines(grid[0][0], means, "value", looks, changes=False)
    grid[0][0].set_title("loss on the prompts, mean over sets (nats a token)")
    for ax, (column, words) in zip(grid[1:].flat, PANELS.items(), strict=True):
        shown = rows if column != "velocity" else rows.dropna(subset=["velocity"])
        lines(ax, shown, column, looks, changes=column == "distance_from_first")
        ax.set_title(words)
    grid[2][0].set_yscale("log")
    style.plain_log_labels(grid[2][0].yaxis)
    for ax in grid[-1]:
        scale_steps(ax, rows["step"])
        ax.set_xlabel("training step")
    legend(grid[0][1], looks)
    return figure


def _notes(rows: pd.DataFrame) -> list[str]:
    notes = [
        "Distance of two kernels over the same prompts: 1 − tr(K K′)/(‖K‖ ‖K′‖), which a change of size alone leaves "
        "at 0. A ring marks where a new plateau of the distance begins; it "
        "needs four checkpoints."
    ]
    sketched = (rows["source"] == "sketch").any()
    return notes + (["Kernels from sketches add noise to every distance."] if sketched else [])
