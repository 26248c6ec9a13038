"""What states tell about a parameter of an English problem: trained model, random weights, and rules on sentences."""

from internal_physics.figures.draw import Figures, Inputs
from internal_physics.lab.experiments.word_problems.experiment import LAB_WORD_PROBES
from internal_physics.lab.probes.problem_figure import draw_probes
from internal_physics.tables.read import read_table


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms with probes."""
    yield "", draw_probes(read_table(inputs["lab_word_probes"], LAB_WORD_PROBES))
