"""What states tell about a parameter before it is written: trained model, random weights, and rules on sentences."""

from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.lab.experiments.reasoning.depth_panels import depth_panel
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING_DEPTH, LAB_REASONING_PROBES
from internal_physics.lab.probes.problem_figure import Panel, draw_probes
from internal_physics.tables.read import read_table

_BY_BLOCK = (
    "By block: a probe for each, means over seeds; parameters that the answer needs, at a distance of so many "
    "dependencies from the query, against all that it does not need."
)


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms with probes."""
    tables = (read_table(inputs[table.name], table) for table in (LAB_REASONING_PROBES, LAB_REASONING_DEPTH))
    yield "", draw(*tables)


def draw(probes: pd.DataFrame, deep: pd.DataFrame) -> Figure:
    """Draw balanced accuracies as bars, one panel for each task; below, one panel for each arm with probes by block.

    Args:
        probes: table `lab_reasoning_probes`.
        deep: table `lab_reasoning_depth`.
    """
    below = [
        Panel(
            f"needed, by block: {style.literal(str(arm))}",
            partial(depth_panel, rows=rows, farthest=int(deep["distance"].max())),
        )
        for arm, rows in deep.groupby("arm")
    ]
    return draw_probes(probes, below, _BY_BLOCK if below else "")
