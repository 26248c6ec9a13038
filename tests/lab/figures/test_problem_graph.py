"""Figures of a problem with a solution's path: what they show of the graph and of the first error."""

from dataclasses import replace

import numpy as np
from figure_texts import SMALLEST_POINTS, visible_texts
from golden_reasoning import golden
from internal_physics.figures.style import notes_of
from internal_physics.lab.data.reasoning.problem import back
from internal_physics.lab.data.reasoning.solve import level_0_solution
from internal_physics.lab.figures.graph_panels import NEEDED, NEEDLESS, WRONG
from internal_physics.lab.figures.graph_places import places
from internal_physics.lab.figures.problem_graph import Solved, draw_problem, draw_side_by_side
from matplotlib.colors import to_hex
from reasoning_problems import random_problem


def _nodes(ax, color):
    return [line for line in ax.lines if line.get_marker() in "os" and to_hex(line.get_color()) == color.lower()]


def _solved(solution=None):
    given = golden()
    return Solved(given.problem, given.parameters.names, solution or given.solution, "Gold")


def test_a_gold_solution_numbers_all_needed_parameters_in_its_order():
    figure = draw_problem(_solved(), golden().parameters.structure)
    structure, graph, _, steps = figure.axes
    assert len(_nodes(graph, NEEDED)) == 6 and not _nodes(graph, NEEDLESS) and not _nodes(graph, WRONG)
    assert sorted(text.get_text() for text in graph.texts if text.get_text()) == list("123456")
    assert [text.get_text() for text in steps.texts][-1] == "6.  Swift Sloop's Chests = 16"
    assert len(structure.lines) == 5 and len(structure.texts) == 6
    arrows = [text for text in graph.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == sum(map(len, golden().problem.dependencies))
    assert "needs 7 operations; solved with 0 needless parameters" in figure.get_suptitle()
    assert "Blue lines" in notes_of(figure)


def test_needless_wrong_and_taken_back_steps_look_different():
    given = golden()
    full = level_0_solution(given.problem, np.random.default_rng(0))
    figure = draw_problem(_solved(full))
    assert len(_nodes(figure.axes[0], NEEDLESS)) == len(given.problem) - 6
    steps = given.solution.steps
    wrong = replace(given.solution, steps=(steps[0], back(given.problem.query), *steps[2:]))
    figure = draw_side_by_side([_solved(), _solved(wrong)], "Two")
    graph, listed = figure.axes[2], [text.get_text() for text in figure.axes[3].texts]
    assert len(_nodes(graph, WRONG)) == 1
    assert listed[1:3] == ["2.  Swift Sloop's Chests is taken back", "3.  Swift Sloop's Chart Cabin = 7  (not ready)"]
    assert "goes wrong (not ready)" in graph.get_title(loc="left").replace("\n", " ")


def test_all_that_is_written_can_be_read_and_is_inside_of_the_figure():
    figure = draw_problem(_solved(), golden().parameters.structure)
    ticks = {id(label) for ax in figure.axes for label in [*ax.get_xticklabels(), *ax.get_yticklabels()]}
    for text, box in visible_texts(figure):  # the panels have no axes: their ticks are not drawn
        if text.get_text() and id(text) not in ticks:
            assert text.get_fontsize() >= SMALLEST_POINTS
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1


def test_what_depends_on_something_stands_to_its_right_and_no_two_share_a_place():
    draws = np.random.default_rng(1)
    for _ in range(30):
        problem = random_problem(10, draws)
        where = places(problem)
        assert len(set(where)) == 10
        assert all(where[p][0] > where[need][0] for p in range(10) for need in problem.dependencies[p])
