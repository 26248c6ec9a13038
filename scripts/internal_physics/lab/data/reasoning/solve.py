"""Correct solutions of a problem: parameters in a topological order, each computed from those before it."""

from collections.abc import Collection, Sequence

import numpy as np

from internal_physics.lab.data.reasoning.expressions import Expression, Operation, Reference, apply
from internal_physics.lab.data.reasoning.problem import Calculation, Problem, Result, Solution, Step, Term


def random_order(problem: Problem, draws: np.random.Generator, among: Collection[int] | None = None) -> tuple[int, ...]:
    """Parameters in a random topological order: of those that can be next, each is equally likely.

    Args:
        problem: whose.
        draws: of the choices.
        among: which parameters, with all that they depend on; the needed ones when not given.
    """
    chosen = problem.needed if among is None else frozenset(among)
    waiting = {parameter: len(problem.dependencies[parameter]) for parameter in chosen}
    users: dict[int, list[int]] = {parameter: [] for parameter in chosen}
    for parameter in sorted(chosen):
        for need in problem.dependencies[parameter]:
            users[need].append(parameter)
    ready = sorted(parameter for parameter, n in waiting.items() if n == 0)
    order = []
    for uniform in draws.random(len(chosen)):
        order.append(ready.pop(int(uniform * len(ready))))
        for user in users[order[-1]]:
            waiting[user] -= 1
            if waiting[user] == 0:
                ready.append(user)
    return tuple(order)


def solve(problem: Problem, order: Sequence[int]) -> Solution:
    """The solution that computes parameters in the given order, each as its expression says, and ends there.

    The order is not checked: `check` says whether it is a correct one.
    """
    return Solution(tuple(step_of(problem, parameter) for parameter in order), problem.answer)


def level_1_solution(problem: Problem, draws: np.random.Generator) -> Solution:
    """A shortest solution: only needed parameters, in a random topological order."""
    return solve(problem, random_order(problem, draws))


def level_0_solution(problem: Problem, draws: np.random.Generator) -> Solution:
    """A solution without a plan: every parameter, in a random topological order."""
    return solve(problem, random_order(problem, draws, range(len(problem))))


def step_of(problem: Problem, parameter: int) -> Step:
    """The step that computes a parameter as its expression says, operation by operation from the inside."""
    calculations: list[Calculation] = []
    value = _term(problem, problem.expressions[parameter], calculations)
    return Step(parameter, tuple(calculations), value)


def _term(problem: Problem, expression: Expression, calculations: list[Calculation]) -> Term:
    """The value of an expression as a term; its operations are appended to `calculations`."""
    if isinstance(expression, Operation):
        left = _term(problem, expression.left, calculations)
        right = _term(problem, expression.right, calculations)
        result = apply(expression.operator, left.value, right.value, problem.modulus)
        calculations.append(Calculation(expression.operator, left, right, result))
        return Term(result, Result(len(calculations) - 1))
    value = problem.values[expression.parameter] if isinstance(expression, Reference) else expression.value
    return Term(value, expression)
