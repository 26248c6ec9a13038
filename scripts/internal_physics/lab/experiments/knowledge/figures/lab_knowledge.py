"""What is remembered of biographies and what can be asked for, by attribute, one panel for each arm."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.data.pools import ATTRIBUTES
from internal_physics.lab.experiments.knowledge.experiment import (
    ALL,
    BIOGRAPHY,
    LAB_KNOWLEDGE,
    QUESTION,
    TESTED,
    TRAINED,
)
from internal_physics.tables.read import read_table

SERIES = {
    (BIOGRAPHY, TESTED): "remembered: words of values in biographies",
    (QUESTION, TRAINED): "answered: people whose questions were trained",
    (QUESTION, TESTED): "answered: people who were only asked about",
}
ORDER = (*ATTRIBUTES, ALL)


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_knowledge"], LAB_KNOWLEDGE))


def draw(measured: pd.DataFrame) -> Figure:
    """Draw shares that are right by attribute, for each arm.

    Args:
        measured: table `lab_knowledge`; the last step of each arm is shown.
    """
    usable = measured[measured["status"] == OK]
    last = usable[usable["step"] == usable.groupby(["arm", "seed"])["step"].transform("max")]
    arms = sorted(last["arm"].unique(), reverse=True)
    looks = style.model_styles(list(SERIES.values()))
    with style.house_style():
        n_rows = -(-len(arms) // 2)
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.4 * n_rows + 0.6)
        grid = figure.subplots(n_rows + 1, 2, squeeze=False, height_ratios=[*([1.0] * n_rows), 0.3])
        panels, (legend, *unused) = list(grid.flat)[: len(arms)], list(grid.flat)[2 * n_rows :]
        for ax in [*unused, *list(grid.flat)[len(arms) : 2 * n_rows]]:
            ax.remove()
        for ax, arm in zip(panels, arms, strict=True):
            _panel(ax, last[last["arm"] == arm], looks)
            ax.set_title(texts_of_arm(last[last["arm"] == arm]))
        for number, ax in enumerate(panels):
            ax.set_ylabel("" if number % 2 else "share that is right")
            ax.tick_params(labelleft=not number % 2)
        legend.axis("off")
        if panels:
            legend.legend(*panels[0].get_legend_handles_labels(), loc="center left")
        title = f"Remembering and answering ({plural(last['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes())


def texts_of_arm(rows: pd.DataFrame) -> str:
    """An arm and its texts, as the title of its panel."""
    first = rows.iloc[0]
    celebrities = f", {first['celebrities']} celebrities" if first["celebrities"] else ""
    return style.literal(f"{first['arm']}\ntexts: {first['augmentation']}{celebrities}")


def _panel(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    for shift, ((task, people), label) in enumerate(SERIES.items()):
        look = looks[label]
        own = rows[(rows["task"] == task) & (rows["people"] == people)]
        means = own.groupby("attribute")["accuracy"].mean().reindex(ORDER)
        places = [place + 0.2 * (shift - 1) for place in range(len(ORDER))]
        ax.plot(places, means, color=look.color, marker=look.marker, linestyle="none", label=label)
        for place, attribute in zip(places, ORDER, strict=True):
            seeds = own.loc[own["attribute"] == attribute, "accuracy"]
            ax.plot([place, place], [seeds.min(), seeds.max()], color=look.color, linewidth=1)
    asked = rows[(rows["task"] == QUESTION) & (rows["people"] == TESTED)]
    chance = asked.groupby("attribute")["chance"].mean().reindex(ORDER)
    for place, share in enumerate(chance):
        ax.plot([place - 0.4, place + 0.4], [share, share], color="#444444", linewidth=0.8)
    ax.set_xticks(range(len(ORDER)), [name.replace("_", " ") for name in ORDER], rotation=30, ha="right")
    ax.set(ylim=(-0.04, 1.04), yticks=(0.0, 0.25, 0.5, 0.75, 1.0))


def _notes() -> list[str]:
    return [
        "Points are means over seeds, lines from the smallest to the largest; the short line across is the share of "
        "the commonest value. A model is trained on biographies, then a low-rank change of it on questions about half "
        "of the people, or about all celebrities where there are some.",
    ]
