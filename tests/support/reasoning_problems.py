"""Small random problems of reasoning, and independent computations on them by enumeration."""

from itertools import permutations

import numpy as np
from internal_physics.lab.data.reasoning.expressions import Expression, Number, Operation, Reference
from internal_physics.lab.data.reasoning.problem import Problem

MODULUS = 7


def random_problem(n_parameters: int, draws: np.random.Generator) -> Problem:
    """Every parameter refers to up to three earlier ones; names are shuffled, so that order says nothing."""
    name = draws.permutation(n_parameters)
    expressions: list[Expression] = [Number(0)] * n_parameters
    for place in range(n_parameters):
        chosen = draws.permutation(place)[: draws.integers(0, 4)]
        operands: list[Expression] = [Reference(int(name[other])) for other in chosen]
        if not operands or draws.random() < 0.5:
            operands.append(Number(int(draws.integers(MODULUS))))
        expression = operands[0]
        for operand in operands[1:]:
            expression = Operation(str(draws.choice(["+", "-", "*"])), expression, operand)
        expressions[name[place]] = expression
    return Problem(tuple(expressions), int(draws.integers(n_parameters)), MODULUS)


def paths_exist(problem: Problem) -> np.ndarray:
    """[P, P] bool: whether b is reached from a, by powers of the matrix of direct references."""
    n = len(problem)
    direct = np.array([[b in problem.dependencies[a] for b in range(n)] for a in range(n)], dtype=int)
    total, power = np.zeros_like(direct), np.eye(n, dtype=int)
    for _ in range(n):
        power = power @ direct
        total += power
    return total > 0


def topological_orders(problem: Problem) -> list[tuple[int, ...]]:
    """All orders of the needed parameters in which everything comes after what it depends on, by trying all."""
    return [
        order
        for order in permutations(sorted(problem.needed))
        if all(problem.dependencies[p] <= set(order[:place]) for place, p in enumerate(order))
    ]
