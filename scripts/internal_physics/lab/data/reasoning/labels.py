"""What can be known before each step of a solution: exact labels for probes."""

from dataclasses import dataclass

import numpy as np

from internal_physics.lab.data.reasoning.problem import Problem, Solution


@dataclass(frozen=True)
class Labels:
    """Labels of every parameter, before every step of a solution and after the last (S steps, P parameters).

    A step that is taken back changes nothing. `value_or_modulus` is the problem's modulus where the value is unknown.

    Attributes:
        needed: [P] bool, nece: whether the query depends on the parameter, or is it.
        depends: [P, P] bool, dep: whether parameter a depends on b, directly or through others; never on itself.
        known: [S + 1, P] bool: whether it was computed before the step.
        value_or_modulus: [S + 1, P] int64: its value, if known.
        can_be_next: [S + 1, P] bool, can_next: not known, and all that it depends on is known.
        needed_next: [S + 1, P] bool, nece_next: needed, and can be next.
    """

    needed: np.ndarray
    depends: np.ndarray
    known: np.ndarray
    value_or_modulus: np.ndarray
    can_be_next: np.ndarray
    needed_next: np.ndarray


def labels_of(problem: Problem, solution: Solution) -> Labels:
    """Labels before each step of a solution, and after the last.

    The values are the right ones. So of a wrong solution, use the rows up to the step where it goes wrong.
    """
    known = known_before(problem, solution)
    direct = direct_dependencies(problem)
    needed = np.zeros(len(problem), dtype=bool)
    needed[list(problem.needed)] = True
    missing = ~known @ direct.T  # whether any that it depends on is unknown
    can_be_next = ~known & ~missing
    values = np.where(known, np.array(problem.values, dtype=np.int64), problem.modulus)
    return Labels(needed, all_dependencies(problem), known, values, can_be_next, can_be_next & needed)


def known_before(problem: Problem, solution: Solution) -> np.ndarray:
    """[S + 1, P] bool: whether a parameter was computed before step s; row S is after the last step."""
    known = np.zeros((len(solution.steps) + 1, len(problem)), dtype=bool)
    for index, step in enumerate(solution.steps):
        if not step.is_back:
            known[index + 1 :, step.parameter] = True
    return known


def direct_dependencies(problem: Problem) -> np.ndarray:
    """[P, P] bool: whether the expression of parameter a refers to b."""
    direct = np.zeros((len(problem), len(problem)), dtype=bool)
    for parameter, needs in enumerate(problem.dependencies):
        direct[parameter, list(needs)] = True
    return direct


def all_dependencies(problem: Problem) -> np.ndarray:
    """[P, P] bool: whether parameter a depends on b, directly or through others."""
    reached = np.zeros((len(problem), len(problem)), dtype=bool)
    for parameter in problem.order:
        for need in problem.dependencies[parameter]:
            reached[parameter] |= reached[need]
            reached[parameter, need] = True
    return reached


def distances(problem: Problem) -> np.ndarray:
    """[P] int64: how many dependencies a needed parameter is away from the query: 0 at the query, -1 if not needed."""
    found = np.full(len(problem), -1, dtype=np.int64)
    found[problem.query] = 0
    open_ones = [problem.query]
    for parameter in open_ones:  # breadth first; it grows on the way
        for need in sorted(problem.dependencies[parameter]):
            if found[need] < 0:
                found[need] = found[parameter] + 1
                open_ones.append(need)
    return found
