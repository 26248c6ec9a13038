"""Problems as graphs with the paths of models: one that arrives, one that goes wrong, one with a retry."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from internal_physics.figures import style
from internal_physics.figures.draw import Figures, Inputs
from internal_physics.lab.data.reasoning.nano import BACK, VOCABULARY, read_prompt, read_solution
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.reasoning.experiment import LAB_REASONING_PATHS
from internal_physics.lab.figures.problem_graph import Solved, draw_side_by_side
from internal_physics.tables.read import read_table


def figures(inputs: Inputs) -> Figures:
    """One figure of all arms."""
    yield "", draw(read_table(inputs["lab_reasoning_paths"], LAB_REASONING_PATHS))


def draw(paths: pd.DataFrame) -> Figure:
    """Draw the first right and the first wrong solution of the hardest problems, and one with a retry.

    Args:
        paths: table `lab_reasoning_paths`; arms in the order of their names.
    """
    cases = [solved_of(row) for row in _examples(paths)]
    if cases:
        return draw_side_by_side(cases, "Paths of models through problems")
    with style.house_style():
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, 1.0)
        style.empty_panel(figure.add_subplot())
        return style.finish(figure, "Paths of models through problems")


def _examples(paths: pd.DataFrame) -> Iterator[pd.Series]:
    """The rows to show; a kind of which there is none is left out."""
    ordered = paths.sort_values(["operations", "arm", "seed", "item"], ascending=[False, True, True, True])
    has_retry = ordered["solution"].str.split().map(lambda words: BACK in words).astype(bool)
    right = ordered["is_correct"]
    for chosen in (right & ~has_retry, ~right & ~has_retry, right & has_retry):
        yield from (row for _, row in ordered[chosen].head(1).iterrows())


def solved_of(row: pd.Series) -> Solved:
    """The problem and solution of a row, read from its texts."""
    drawn = read_prompt(VOCABULARY.ids(row["problem"].split()).tolist())
    end = [] if row["error"] == "unreadable" else [END_ID]
    solution = read_solution(drawn, [*VOCABULARY.ids(row["solution"].split()).tolist(), *end])
    return Solved(drawn.problem, VOCABULARY.words(drawn.names), solution, str(row["arm"]))
