"""Signals of an error before it is written: their distributions for wrong and for right parameters."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.ground.words import plural
from internal_physics.lab.experiments.reasoning.area import area_of
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING_FORESIGHT
from internal_physics.tables.read import read_table

SIGNALS = {"taking_back": "p(BACK) after its name", "probe": "1 − probe: can it be computed?"}
KINDS = {True: "cannot be computed yet", False: "can be computed"}


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms with a signal."""
    yield "", draw(read_table(inputs["lab_reasoning_foresight"], LAB_REASONING_FORESIGHT))


def draw(shown: pd.DataFrame) -> Figure:
    """Draw cumulative distributions of each signal, one panel for each arm.

    Args:
        shown: table `lab_reasoning_foresight`.
    """
    panels = list(shown[shown["signal"].isin(SIGNALS)].groupby(["signal", "arm"], sort=True))
    looks = style.model_styles(list(KINDS.values()))
    n_rows = -(-(len(panels) + 1) // 3)  # a place is for the legend
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 2.5 * n_rows + 0.2)
        axes = list(figure.subplots(n_rows, 3, sharey=True, squeeze=False).flat)
        for ax, ((signal, arm), rows) in zip(axes, panels, strict=False):
            _panel(ax, rows, looks)
            area = area_of(rows)
            ax.set(title=f"{style.literal(str(arm))} (AUC {area:.2f})", xlabel=SIGNALS[str(signal)])
        for ax in axes[len(panels) :]:
            ax.axis("off")
        if panels:
            axes[len(panels)].legend(*axes[0].get_legend_handles_labels(), loc="center", title="a parameter that")
        for ax in axes[: len(panels) : 3]:
            ax.set_ylabel("share of parameters below")
        title = f"Errors that are visible before they are written ({plural(shown['seed'].nunique(), 'seed')})"
        return style.finish(figure, title, _notes())


def _panel(ax: Axes, rows: pd.DataFrame, looks: dict[str, style.ModelStyle]) -> None:
    for is_wrong, label in KINDS.items():
        values = np.sort(rows.loc[rows["is_wrong"] == is_wrong, "value"].to_numpy())
        if values.size:
            ax.step(
                values, np.arange(1, values.size + 1) / values.size, where="post", color=looks[label].color, label=label
            )
    ax.set(xlim=(-0.02, 1.02), ylim=(0, 1.02))


def _notes() -> list[str]:
    return [
        "Cumulative distributions over all parameters and seeds; the further the two lines are apart, the better the "
        "signal. AUC: probability that a wrong parameter has the larger signal than a right one; a guess has 0.5.",
        "p(BACK): a model that learned from retries is shown a random open parameter after right steps. Probe: before "
        "steps that the model itself wrote, the first wrong one and a right one of each solution.",
    ]
