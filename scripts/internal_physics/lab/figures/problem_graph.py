"""A problem of reasoning as graphs, with the path that a solution takes through them."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from internal_physics.figures import style
from internal_physics.ground.words import plural
from internal_physics.lab.data.reasoning.check import Verdict, check
from internal_physics.lab.data.reasoning.problem import Problem, Solution
from internal_physics.lab.data.reasoning.structure import Structure
from internal_physics.lab.figures.graph_panels import (
    draw_dependencies,
    draw_structure,
    legend_entries,
    list_steps,
    listed_steps,
)

GRAPH_INCHES, LEGEND_INCHES, LINE_INCHES = 3.0, 0.4, 0.17
ARROWS = "An arrow leads from a parameter to one that depends on it; the ringed one is asked for."


@dataclass(frozen=True)
class Solved:
    """A problem, and what somebody wrote as its solution.

    Attributes:
        problem: what depends on what.
        names: of the parameters.
        solution: a made one, or a model's; figures check it.
        who: of the solution, such as "Gold".
    """

    problem: Problem
    names: Sequence[str]
    solution: Solution
    who: str


def draw_problem(solved: Solved, structure: Structure | None = None) -> Figure:
    """Draw the dependencies of a problem, and in which order a solution computes them.

    Args:
        solved: the problem and the solution.
        structure: of an English problem, drawn beside the dependencies; None for other dialects.
    """
    verdict = check(solved.problem, solved.solution)
    n_rows = max(1, -(-len(solved.solution.steps) // 2))
    with style.house_style():
        heights = [GRAPH_INCHES, LEGEND_INCHES, LINE_INCHES * n_rows + 0.05]
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(heights))
        grid = figure.add_gridspec(3, 2 if structure else 1, height_ratios=heights)
        if structure:
            draw_structure(figure.add_subplot(grid[0, 0]), structure, solved.problem)
        title = "What depends on what (numbers: steps of the solution)"
        draw_dependencies(figure.add_subplot(grid[0, -1]), solved.problem, solved.solution, verdict, title)
        _legend(figure, grid[1, :], [solved])
        steps = list(listed_steps(solved.problem, solved.names, solved.solution, verdict))
        list_steps(figure.add_subplot(grid[2, :]), steps, n_rows)
        notes = f"{ARROWS} Blue lines are sentences that the answer needs." if structure else ARROWS
        return style.finish(figure, f"{solved.who}: {_summary(solved.problem, verdict)}", [notes])


def draw_side_by_side(cases: Sequence[Solved], title: str) -> Figure:
    """Draw problems in columns, two or three, each with the dependencies above the steps of its solution."""
    n_rows = max(1, *(len(case.solution.steps) for case in cases))
    with style.house_style():
        heights = [GRAPH_INCHES, LEGEND_INCHES, LINE_INCHES * n_rows + 0.05]
        figure = style.new_figure(style.PAGE_WIDTH_INCHES, sum(heights))
        grid = figure.add_gridspec(3, len(cases), height_ratios=heights)
        for column, case in enumerate(cases):
            verdict = check(case.problem, case.solution)
            heading = f"{case.who}: {_summary(case.problem, verdict)}"
            ax = figure.add_subplot(grid[0, column])
            draw_dependencies(ax, case.problem, case.solution, verdict, style.wrap_name(heading, 110 // len(cases)))
            steps = list(listed_steps(case.problem, case.names, case.solution, verdict))
            list_steps(figure.add_subplot(grid[2, column]), steps, n_rows)
        _legend(figure, grid[1, :], cases)
        return style.finish(figure, title, [f"{ARROWS} Numbers are steps of the solution."])


def _legend(figure: Figure, place: SubplotSpec, cases: Sequence[Solved]) -> None:
    ax = figure.add_subplot(place)
    ax.axis("off")
    ax.legend(
        handles=legend_entries(any(case.problem.unstated for case in cases)), loc="center left", ncols=3, frameon=False
    )


def _summary(problem: Problem, verdict: Verdict) -> str:
    """What the problem needs and how the solution went."""
    needs = f"needs {plural(problem.n_operations, 'operation')}"
    if verdict.is_correct:
        extra = plural(verdict.unnecessary_parameters, "needless parameter")
        return f"{needs}; solved with {extra}"
    return f"{needs}; the solution goes wrong ({verdict.error.replace('_', ' ')})"
