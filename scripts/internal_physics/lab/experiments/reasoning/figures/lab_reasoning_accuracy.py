"""How deep models reason: accuracy by operations, what they compute needlessly, and what retries add."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.arm_lines import seeds_and_mean
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING
from internal_physics.tables.read import read_table


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_reasoning"], LAB_REASONING))


def draw(solved: pd.DataFrame) -> Figure:
    """Draw accuracies, unnecessary parameters and retries against operations, one color per arm.

    Args:
        solved: table `lab_reasoning`.
    """
    usable = solved[solved["status"] == OK]
    looks = style.model_styles(sorted(usable["arm"].unique()))
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 4.8)
        whole, answer, unnecessary, retries = figure.subplots(2, 2, sharex=True).flat
        for ax, column, title in (
            (whole, "accuracy", "every step is right"),
            (answer, "answer_accuracy", "only the answer is right"),
        ):
            seeds_and_mean(ax, usable, column, looks, along="operations")
            ax.set(title=title, ylabel="share of problems", ylim=(-0.02, 1.02))
        correct = usable.dropna(subset=["unnecessary_parameters"])
        seeds_and_mean(unnecessary, correct, "unnecessary_parameters", looks, along="operations")
        unplanned = usable.groupby("operations")["unnecessary_at_random"].mean()
        unnecessary.plot(unplanned.index, unplanned, color="#444444", linestyle=":", label="without a plan")
        unnecessary.set(title="needless work in correct solutions", ylabel="unnecessary parameters")
        seeds_and_mean(retries, usable, "retries", looks, along="operations")
        retries.set(title="parameters taken back", ylabel="retries per problem")
        if not usable["retries"].any():
            retries.set_ylim(-0.02, 1.02)  # an axis around nothing would have negative retries
        for ax in (whole, answer, unnecessary, retries):
            _beyond_training(ax, usable)
        for ax in (unnecessary, retries):
            ax.set_xlabel("operations that the answer needs")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles = dict(zip(*reversed(unnecessary.get_legend_handles_labels()), strict=True))
        handles |= dict(zip(*reversed(whole.get_legend_handles_labels()), strict=True))
        retries.legend(handles.values(), handles.keys(), loc="upper left", fontsize="x-small")
        return style.finish(figure, _title(usable), _notes())


def _beyond_training(ax: Axes, rows: pd.DataFrame) -> None:
    """Shade the operations that training did not have."""
    beyond = rows.loc[~rows["in_training"], "operations"]
    if len(beyond):
        ax.axvspan(beyond.min() - 0.5, beyond.max() + 0.2, color="#888888", alpha=0.12, linewidth=0)


def _title(rows: pd.DataFrame) -> str:
    return f"Reasoning: {plural(rows['arm'].nunique(), 'arm')}, {plural(rows['seed'].nunique(), 'seed')}"


def _notes() -> list[str]:
    return [
        "Thin lines are seeds, thick ones their means. Shaded: more operations than in training. A checker reads every "
        "step of what a model writes by itself.",
        "Dotted: a solver without a plan, which computes anything that it can until it has the answer.",
    ]
