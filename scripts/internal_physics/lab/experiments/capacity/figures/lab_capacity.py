"""How many bits models hold, by what there is to learn, by their size, and after their weights are rounded."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.status import OK
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.capacity.experiment import LAB_CAPACITY, WHOLE_BITS
from internal_physics.tables.read import read_table

CLAIMED = 2.0  # bits per parameter
APART = 1.2  # ratio of sizes of which both are written at the axis


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_capacity"], LAB_CAPACITY))


def draw(measured: pd.DataFrame) -> Figure:
    """Draw learned bits per parameter against what there is to learn, against size, and after rounding.

    Args:
        measured: table `lab_capacity`.
    """
    usable = measured[measured["status"] == OK]
    last = usable[usable["step"] == usable.groupby(["arm", "seed"])["step"].transform("max")]
    arms = sorted(last["arm"].unique())
    looks = style.model_styles(arms)
    whole = last[last["weight_bits"] == WHOLE_BITS]
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 5.6)
        (learned, by_size), (rounding, legend) = figure.subplots(2, 2)
        _learned(learned, whole, looks)
        _by_size(by_size, whole, looks)
        _rounding(rounding, last, looks)
        legend.axis("off")
        legend.legend(*learned.get_legend_handles_labels(), loc="center left", fontsize=7)
        title = f"Bits per parameter ({plural(len(arms), 'arm')}, {plural(last['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes())


def _learned(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    top = 1.08 * max(CLAIMED, rows["most_bits_per_parameter"].max())
    for arm, own in rows.groupby("arm"):
        look, of_arm = looks[str(arm)], own.iloc[0]
        label = f"{style.literal(str(arm))}: {of_arm['people']} people, {of_arm['exposures']} exposures"
        place, values = own["most_bits_per_parameter"], own["bits_per_parameter"]
        ax.plot(place, values, color=look.color, marker=look.marker, linestyle="none", label=label)
    ax.plot([0, CLAIMED], [0, CLAIMED], color="#444444", linewidth=0.8)
    ax.annotate(" all there is", (0.75 * CLAIMED, 0.72 * CLAIMED), va="top", ha="left", fontsize=7)
    _claimed(ax, top)
    ax.set(
        title="learned, and what there is to learn",
        xlabel="bits in the data per parameter",
        ylabel="learned bits per parameter",
        xlim=(0, top),
        ylim=_limits(rows),
    )


def _by_size(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    sizes = sorted(rows["n_parameters"].unique())
    low, high = (sizes[0] / 1.5, sizes[-1] * 1.5) if sizes else (1.0, 10.0)
    for arm, own in rows.groupby("arm"):
        look = looks[str(arm)]
        ax.plot(own["n_parameters"], own["bits_per_parameter"], color=look.color, marker=look.marker, linestyle="none")
    _claimed(ax, high)
    ax.set_xscale("log")
    ax.set(title="by size of the model", xlabel="parameters", xlim=(low, high), ylim=_limits(rows))
    ax.xaxis.set_minor_locator(NullLocator())
    shown = [size for place, size in enumerate(sizes) if not place or size > APART * sizes[place - 1]]
    ax.set_xticks(shown, [f"{size:,}" for size in shown])


def _claimed(ax: Axes, right: float) -> None:
    ax.axhline(CLAIMED, color="#444444", linewidth=0.8, linestyle=(0, (5, 2)))
    ax.annotate("2 bits per parameter ", (right, CLAIMED), va="bottom", ha="right", fontsize=7)


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    values = rows["bits_per_parameter"]
    return min(0.0, values.min()), 1.15 * max(CLAIMED, values.max())


def _rounding(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    sizes = sorted(rows["weight_bits"].unique(), reverse=True)
    whole = rows[rows["weight_bits"] == WHOLE_BITS].set_index(["arm", "seed"])["bits_per_parameter"]
    for (arm, seed), own in rows.groupby(["arm", "seed"]):
        ordered = own.set_index("weight_bits").reindex(sizes)["bits_per_parameter"]
        look = looks[str(arm)]
        left = np.maximum(ordered / whole[(arm, seed)], -1.0)
        ax.plot(range(len(sizes)), left, color=look.color, marker=look.marker, linewidth=0.8)
    ax.axhline(0, color="#444444", linewidth=0.8)
    ax.set_xticks(range(len(sizes)), ["not rounded" if size == WHOLE_BITS else f"{size} bits" for size in sizes])
    ax.set(title="left after rounding", xlabel="bits of a weight", ylabel="share of the learned bits", ylim=(-1.1, 1.1))


def _notes() -> list[str]:
    return [
        "Points and lines are seeds. Learned bits: by the losses of names and values, so that a guess has none and a "
        "model that is worse than a guess has fewer than none; shares below −1 are drawn at −1.",
        "Rounding: every matrix to the nearest, with a step of its own for each row; to 8 bits by bitsandbytes.",
    ]
