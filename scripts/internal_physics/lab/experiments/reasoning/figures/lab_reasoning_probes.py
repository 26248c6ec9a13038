"""What states tell about a parameter before it is written: trained model, random weights, and rules on sentences."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING_PROBES
from internal_physics.tables.read import read_table

TASKS = {"needed": "does the answer need it?", "can_be_next": "can it be computed now?"}
TOLD_BY = {
    "trained": "probe of the trained model",
    "random": "probe of random weights",
    "only_numbers": "rule: its sentence has only numbers",
    "used_somewhere": "rule: some sentence uses it",
    "operand_of_query": "rule: the query's sentence uses it",
}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms with probes."""
    yield "", draw(read_table(inputs["lab_reasoning_probes"], LAB_REASONING_PROBES))


def draw(probes: pd.DataFrame) -> Figure:
    """Draw balanced accuracies as bars, one panel for each task.

    Args:
        probes: table `lab_reasoning_probes`.
    """
    arms = sorted(probes["arm"].unique())
    looks = style.model_styles(list(TOLD_BY.values()))
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 3.0)
        *panels, legend = figure.subplots(1, 3, width_ratios=[1, 1, 0.75])
        for ax, (task, words) in zip(panels, TASKS.items(), strict=True):
            _panel(ax, probes[probes["task"] == task], arms, looks)
            ax.set_title(words)
        panels[0].set_ylabel("balanced accuracy")
        handles = {
            label: handle for ax in panels for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        legend.axis("off")
        legend.legend(handles.values(), handles.keys(), loc="center", fontsize="small")
        title = f"What states tell about a parameter before it is written ({plural(probes['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes())


def _panel(ax: Axes, rows: pd.DataFrame, arms: list[str], looks: dict[str, style.ModelStyle]) -> None:
    shown = [name for name in TOLD_BY if name in set(rows["told_by"])]
    width = 0.8 / max(len(shown), 1)
    for number, name in enumerate(shown):
        own = rows[rows["told_by"] == name].groupby("arm")["accuracy"]
        places = [place + width * (number - (len(shown) - 1) / 2) for place in range(len(arms))]
        means, low, high = (getattr(own, how)().reindex(arms) for how in ("mean", "min", "max"))
        ax.bar(places, means, width=0.92 * width, color=looks[TOLD_BY[name]].color, label=TOLD_BY[name])
        ax.vlines(places, low, high, color="black", linewidth=1)
    ax.axhline(0.5, color="#444444", linewidth=0.8, linestyle=(0, (5, 2)))
    ax.set_xticks(range(len(arms)), [style.literal(arm) for arm in arms], rotation=20, ha="right")
    ax.set_ylim(0.4, 1.0)


def _notes() -> list[str]:
    return [
        "Bars are means over seeds, black lines span them; dashed: a guess. A probe changes the embedding by a matrix "
        "of low rank and reads the last residual; the model is frozen.",
        "A rule needs no chain of two sentences. Where a rule is as good as the probe, the probe shows no reasoning.",
    ]
