"""A problem and its solutions, apart from the words they are written in.

A problem is a graph without cycles: parameters, and for each an expression of other parameters and numbers. All
numbers are 0..modulus - 1, and all arithmetic is modulo that number. A solution computes parameters one after the
other. English problems and those of single symbols are two dialects of this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.expressions import (
    Expression,
    Leaf,
    Number,
    Reference,
    evaluate,
    leaves,
)


@dataclass(frozen=True)
class Problem:
    """Parameters with what each equals, and the one that is asked for.

    Attributes:
        expressions: what each parameter equals; a parameter is named by its index.
        query: the parameter that is asked for.
        modulus: of all arithmetic, at least 2.
        unstated: parameters that the text does not describe, because what they equal follows from others (the number
            of animals in a zoo).

    Raises:
        UserError: for a query, reference or number out of range, or parameters that depend on each other in a circle.
    """

    expressions: tuple[Expression, ...]
    query: int
    modulus: int
    unstated: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise UserError(
                problem,
                where="problem",
                expected="expressions of parameters 0..n - 1 and numbers 0..modulus - 1, without a circle",
                todo="correct the expressions or the query",
            )

    def __len__(self) -> int:
        """How many parameters there are, those that the text does not describe included."""
        return len(self.expressions)

    @cached_property
    def operands(self) -> tuple[list[Leaf], ...]:
        """For each parameter, the numbers and references of its expression."""
        return tuple(map(leaves, self.expressions))

    @cached_property
    def dependencies(self) -> tuple[frozenset[int], ...]:
        """For each parameter, those that its expression refers to."""
        return tuple(
            frozenset([leaf.parameter for leaf in operands if isinstance(leaf, Reference)])
            for operands in self.operands
        )

    @cached_property
    def operations(self) -> tuple[int, ...]:
        """For each parameter, how many operations it costs: its binary ones, and 1 where a value is only read."""
        return tuple(max(1, len(operands) - 1) for operands in self.operands)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The parameters in one topological order; without those in or behind a circle."""
        waiting = [len(needs) for needs in self.dependencies]
        used_by: list[list[int]] = [[] for _ in self.expressions]
        for parameter, needs in enumerate(self.dependencies):
            for need in needs:
                used_by[need].append(parameter)
        order = [parameter for parameter, n in enumerate(waiting) if n == 0]
        for parameter in order:  # it grows on the way
            for user in used_by[parameter]:
                waiting[user] -= 1
                if waiting[user] == 0:
                    order.append(user)
        return tuple(order)

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The value of every parameter, 0..modulus - 1."""
        values = [0] * len(self)
        for parameter in self.order:
            values[parameter] = evaluate(self.expressions[parameter], values, self.modulus)
        return tuple(values)

    @property
    def answer(self) -> int:
        """The value of the parameter that is asked for."""
        return self.values[self.query]

    @cached_property
    def needed(self) -> frozenset[int]:
        """The parameters that the query depends on, and the query."""
        return self.behind([self.query])

    @property
    def n_operations(self) -> int:
        """Op of the problem: the operations of all needed parameters."""
        return sum(self.operations[parameter] for parameter in self.needed)

    def behind(self, parameters: Iterable[int]) -> frozenset[int]:
        """The given parameters and all that they depend on."""
        found: set[int] = set()
        open_ones = list(parameters)
        while open_ones:
            parameter = open_ones.pop()
            if parameter not in found:
                found.add(parameter)
                open_ones.extend(self.dependencies[parameter])
        return frozenset(found)


def _problem(problem: Problem) -> str:
    """What is wrong with a problem, or nothing."""
    n = len(problem.expressions)
    if problem.modulus < 2:
        return f"modulus {problem.modulus}"
    if not 0 <= problem.query < n:
        return f"the query is parameter {problem.query} of {n}"
    for parameter, operands in enumerate(problem.operands):
        for leaf in operands:
            if isinstance(leaf, Reference) and not 0 <= leaf.parameter < n:
                return f"parameter {parameter} refers to parameter {leaf.parameter} of {n}"
            if isinstance(leaf, Number) and not 0 <= leaf.value < problem.modulus:
                return f"parameter {parameter} has the number {leaf.value}, modulo {problem.modulus}"
    if len(problem.order) < n:
        circle = sorted(set(range(n)) - set(problem.order))
        return f"parameters {circle} depend on each other in a circle, or on one that does"
    return ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of an earlier calculation of the same step, by its index."""

    calculation: int


Source: TypeAlias = Number | Reference | Result
UNKNOWN = Reference(-1)
"""The source of a value that is said to be that of a variable which nothing has defined."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value in a step of a solution, and where it comes from.

    Attributes:
        value: as written; a wrong solution may write anything.
        source: a number of the problem, a parameter, or an earlier result; None where the dialect writes only values.
    """

    value: int
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Calculation:
    """One operation on two values, and the result as written."""

    operator: str
    left: Term
    right: Term
    result: int


@dataclass(frozen=True, slots=True)
class Step:
    """One sentence of a solution: a parameter, how it is computed, and its value.

    Attributes:
        parameter: which one the step is about.
        calculations: the operations in their order; none where a value is only read.
        value: the parameter's value; None for a step that is taken back.
    """

    parameter: int
    calculations: tuple[Calculation, ...]
    value: Term | None

    @property
    def is_back(self) -> bool:
        """Whether the step names a parameter and takes it back, without computing it."""
        return self.value is None


def back(parameter: int) -> Step:
    """The step that names a parameter and takes it back."""
    return Step(parameter, (), None)


@dataclass(frozen=True, slots=True)
class Solution:
    """The steps of a solution, as read or as made.

    Attributes:
        steps: in their order.
        answer: the final value, where the dialect writes one apart from the steps.
        unreadable: what came after the steps and could not be read, or the empty string.
        lacks_answer: whether the dialect writes an answer apart from the steps, and this solution has none.
    """

    steps: tuple[Step, ...]
    answer: int | None = None
    unreadable: str = ""
    lacks_answer: bool = False

    @property
    def computed(self) -> tuple[int, ...]:
        """The parameters of the steps that are not taken back, in their order."""
        return tuple(step.parameter for step in self.steps if not step.is_back)
