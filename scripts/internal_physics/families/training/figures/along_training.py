"""Every quantity of the checkpoints of a training against its step, with the loss above each column."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.families.training.figures.steps import legend, lines, looks_of, scale_steps, scale_values
from internal_physics.families.training.tables import LOSS, TRAINING
from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.figures.selection import require_columns
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.tables.read import read_table

COLUMNS = 3
LABELS = {  # in the order of the panels
    "ec": "EC",
    "isc": "ISC",
    "isg": "ISG",
    "isa": "ISA",
    "isf": "ISF",
    "temperature": "temperature",
    "entropy_nats": "entropy of weights",
    "energy": "energy",
    "free_energy": "free energy",
    "prediction_entropy_nats": "entropy of prediction",
    "last_gain": "last gain",
    "log_cumulative_gain": "ln cumulative gain",
    "settled_depth": "depth where decided",
    "final_probability": "probability of best token",
}


def figures(inputs: Inputs, *, prompt_sets: Sequence[str]) -> Figures:
    """One figure for each prompt set."""
    table = read_table(inputs["training"], TRAINING)
    for prompt_set in prompt_sets:
        yield prompt_set, draw(table, prompt_set)


def draw(training: pd.DataFrame, prompt_set: str) -> Figure:
    """Draw the quantities of all trainings on one prompt set.

    Args:
        training: table `training`.
        prompt_set: which prompt set. Without checkpoints on it, a single panel says so.
    """
    require_columns(training, list(TRAINING.columns))
    rows = training[(training["prompt_set"] == prompt_set) & (training["status"] == OK)]
    shown = [quantity for quantity in LABELS if (rows["quantity"] == quantity).any()]
    with style.house_style():
        if not shown:
            figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.5)
            style.empty_panel(figure.add_subplot(), "no checkpoints of a training ran this prompt set")
            return style.finish(figure, f"Along training on {prompt_set}")
        figure = _grid(rows, shown, looks_of(training, rows))
        n_prompts = int(rows["n_prompts"].max())
        title = f"Along training on {prompt_set} ({plural(n_prompts, 'prompt')})"
        return style.finish(figure, title, _notes(training, prompt_set))


def _grid(rows: pd.DataFrame, shown: list[str], looks: Mapping[str, style.ModelStyle]) -> Figure:
    """Losses in the first row, then a panel for each quantity, then the legend."""
    n_columns = min(COLUMNS, len(shown))
    n_rows = 1 - (-(len(shown) + 1) // n_columns)
    figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.55 * n_rows)
    grid = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
    loss = rows[rows["quantity"] == LOSS]
    for ax in grid[0]:
        lines(ax, loss, "value", looks)
        ax.set_title("loss on the prompts (nats a token)")
    panels = list(grid[1:].flat)
    for ax, quantity in zip(panels, shown, strict=False):
        _panel(ax, rows[rows["quantity"] == quantity], quantity, looks)
    legend(panels[len(shown)], looks)
    for ax in panels[len(shown) + 1 :]:
        ax.remove()
    for ax in panels[max(0, len(shown) - n_columns) : len(shown)]:
        scale_steps(ax, rows["step"])
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("training step")
    return figure


def _panel(ax: Axes, rows: pd.DataFrame, quantity: str, looks: Mapping[str, style.ModelStyle]) -> None:
    lines(ax, rows, "value", looks)
    scale = "log" if scale_values(ax, rows["value"]) else ""
    unit = rows["unit"].iloc[0]
    words = ", ".join(word for word in ("" if unit == "1" else unit, scale) if word)
    ax.set_title(LABELS[quantity] + (f" ({words})" if words else ""))


def _notes(training: pd.DataFrame, prompt_set: str) -> list[str]:
    flagged = training[(training["prompt_set"] == prompt_set) & (training["status"] != OK)]
    notes = [
        "Bands: intervals over prompts, where the score has one. The loss is that of these prompts: it rises for texts "
        "that the training did not have, and falls for those that it had. A ring marks a checkpoint at which a new "
        "plateau begins (least squares, with the penalty of the change points along depth); it needs four checkpoints."
    ]
    return notes + ([f"Left out: {plural(len(flagged), 'value')} that is missing or doubtful."] if len(flagged) else [])
