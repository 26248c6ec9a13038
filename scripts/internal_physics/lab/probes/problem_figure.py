"""Figures of what states tell about a parameter before it is written: trained model, random weights, and rules."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.ground.words import plural

TASKS = {
    "needed": "does the answer need it?",
    "can_be_next": "can it be computed now?",
    "needed_next": "needed, and can it be computed now?",
    "depends": "does one depend on another?",
    "known": "was it computed?",
    "value": "what is its value, if any?",
}
TOLD_BY = {
    "trained": "probe of the trained model",
    "random": "probe of random weights",
    "only_numbers": "rule: its sentence has only numbers",
    "used_somewhere": "rule: some sentence uses it",
    "operand_of_query": "rule: the query's sentence uses it",
    "numbers_and_used": "rule: only numbers, and used",
    "in_its_sentence": "rule: one's sentence uses the other",
    "written": "rule: what its own step says",
}
_BESIDE = 2  # panels in a row, the legend right of them
_ROW_INCHES, _ONLY_ROW_INCHES = 2.3, 3.0
_NOTES = (
    "Bars are means over seeds, black lines span them; dashed: a guess. A probe changes the embedding by a matrix "
    "of low rank and reads the last residual; the model is frozen.",
    "A rule needs no chain of two sentences. Where a rule is as good as the probe, the probe shows no reasoning.",
)


class Panel(NamedTuple):
    """A panel below those of the tasks: its title, and what draws into it."""

    title: str
    draw: Callable[[Axes], None]


def draw_probes(probes: pd.DataFrame, below: Sequence[Panel] = (), note: str = "") -> Figure:
    """Draw balanced accuracies as bars, one panel for each task, and other panels of balanced accuracies below them.

    Args:
        probes: table `lab_reasoning_probes`, or `lab_word_probes`.
        below: more panels, with a legend of their own.
        note: about these; "" for none.
    """
    asked = set(probes["task"])
    tasks = [task for task in TASKS if task in asked] or list(TASKS)[:_BESIDE]
    n_above, n_below = (-(-len(panels) // _BESIDE) for panels in (tasks, below))
    n_rows = n_above + n_below
    with style.house_style():
        height = _ONLY_ROW_INCHES if n_rows == 1 else n_rows * _ROW_INCHES
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, height)
        grid = figure.add_gridspec(n_rows, _BESIDE + 1, width_ratios=[1, 1, 0.75])
        places = [grid[row, column] for row in range(n_rows) for column in range(_BESIDE)]
        above = [figure.add_subplot(place) for place in places[: len(tasks)]]
        _bars(above, probes, tasks)
        _legend(figure.add_subplot(grid[:n_above, -1]), above)
        if below:
            others = [figure.add_subplot(place) for place in places[n_above * _BESIDE :][: len(below)]]
            _others(others, below)
            _legend(figure.add_subplot(grid[n_above:, -1]), others)
        title = f"What states tell about a parameter before it is written ({plural(probes['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, [*_NOTES, *([note] if note else [])])


def guess_line(ax: Axes, at: float = 0.5) -> None:
    """A dashed line at what a guess gets."""
    ax.axhline(at, color="#444444", linewidth=0.8, linestyle=(0, (5, 2)))


def _bars(panels: list[Axes], probes: pd.DataFrame, tasks: list[str]) -> None:
    arms = sorted(probes["arm"].unique())
    looks = style.model_styles(list(TOLD_BY.values()))
    for ax, task in zip(panels, tasks, strict=True):
        _panel(ax, probes[probes["task"] == task], arms, looks)
        ax.set_title(TASKS[task])
    for ax in panels[::_BESIDE]:
        ax.set_ylabel("balanced accuracy")
    for ax in panels[:-_BESIDE]:  # the same arms as beneath
        ax.tick_params(labelbottom=False)


def _panel(ax: Axes, rows: pd.DataFrame, arms: list[str], looks: dict[str, style.ModelStyle]) -> None:
    shown = [name for name in TOLD_BY if name in set(rows["told_by"])]
    width = 0.8 / max(len(shown), 1)
    for number, name in enumerate(shown):
        own = rows[rows["told_by"] == name].groupby("arm")["accuracy"]
        places = [place + width * (number - (len(shown) - 1) / 2) for place in range(len(arms))]
        means, low, high = (getattr(own, how)().reindex(arms) for how in ("mean", "min", "max"))
        ax.bar(places, means, width=0.92 * width, color=looks[TOLD_BY[name]].color, label=TOLD_BY[name])
        ax.vlines(places, low, high, color="black", linewidth=1)
    chance = float(rows["chance"].max()) if len(rows) else 0.5
    guess_line(ax, chance)
    ax.set_xticks(range(len(arms)), [style.literal(arm) for arm in arms], rotation=20, ha="right")
    ax.set_ylim(0.8 * chance, 1.0)


def _others(panels: list[Axes], below: Sequence[Panel]) -> None:
    for ax, (title, draw) in zip(panels, below, strict=True):
        draw(ax)
        ax.set_title(title)
    for ax in panels[::_BESIDE]:
        ax.set_ylabel("balanced accuracy")


def _legend(place: Axes, panels: list[Axes]) -> None:
    """One legend of all that these panels draw, in a place of its own."""
    handles = {label: handle for ax in panels for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    place.axis("off")
    place.legend(handles.values(), handles.keys(), loc="center", fontsize="small")
