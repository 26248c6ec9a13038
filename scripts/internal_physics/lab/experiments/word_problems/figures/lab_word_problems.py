"""Accuracy and needless parameters by the number of operations, one line for each arm."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.word_problems.experiment import LAB_WORD_PROBLEMS
from internal_physics.tables.read import read_table

PANELS = {
    "accuracy": "share of solutions whose\nevery step is right",
    "answer_accuracy": "share with the right answer",
    "unnecessary_parameters": "needless parameters in a\ncorrect solution",
}
SHARE_TOP = 1.04  # room for markers at 1
LEGEND_COLUMNS = 4
QUESTIONS = {False: "first question", True: "another question"}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_word_problems"], LAB_WORD_PROBLEMS))


def draw(measured: pd.DataFrame) -> Figure:
    """Draw what was measured against op, one row of panels for each kind of question.

    Args:
        measured: table `lab_word_problems`.
    """
    looks = style.model_styles(sorted(measured["arm"].unique()))
    with style.house_style():
        legend_inches = 0.2 + 0.16 * -(-len(looks) // LEGEND_COLUMNS)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 4.4 + legend_inches)
        spec = figure.add_gridspec(3, len(PANELS), height_ratios=[2.2, 2.2, legend_inches])
        grid = [[figure.add_subplot(spec[row, column]) for column in range(len(PANELS))] for row in range(2)]
        for (is_again, question), axes in zip(QUESTIONS.items(), grid, strict=True):
            rows = measured[measured["is_asked_again"] == is_again]
            for (quantity, label), ax in zip(PANELS.items(), axes, strict=True):
                _panel(ax, rows, quantity, looks)
                ax.set_ylabel(label)
            axes[0].set_title(question)
        for ax in grid[-1]:
            ax.set_xlabel("operations of the first question")
        legend = figure.add_subplot(spec[2, :])
        legend.axis("off")
        legend.legend(*grid[0][0].get_legend_handles_labels(), loc="center left", ncols=LEGEND_COLUMNS)
        title = f"Word problems by difficulty ({plural(measured['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes(measured))


def _panel(ax: Axes, rows: pd.DataFrame, quantity: str, looks: dict[str, style.ModelStyle]) -> None:
    if not rows[quantity].notna().any():
        style.empty_panel(ax, "no solution is correct")
        ax.set(xticks=[], yticks=[])
        return
    for arm, look in looks.items():
        means = rows[rows["arm"] == arm].groupby("operations")[quantity].mean()
        ax.plot(means.index, means, **look.line(), label=style.literal(arm))
    largest = rows.loc[rows["in_training"], "operations"].max()
    if pd.notna(largest):
        ax.axvline(largest + 0.5, color="#444444", linewidth=0.8, linestyle=(0, (2, 2)))
    ax.set_ylim(0, SHARE_TOP if quantity.endswith("accuracy") else None)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _notes(measured: pd.DataFrame) -> list[str]:
    n = int(measured["n_problems"].median()) if len(measured) else 0
    return [
        f"Means over seeds, {n} problems a point, of templates that training does not have. Right of the dashed line: "
        "more operations than in any problem of training. Needless parameters: where no solution is correct, no point."
    ]
