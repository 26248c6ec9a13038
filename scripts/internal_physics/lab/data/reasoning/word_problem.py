"""English problems of known difficulty: random things in things, and a question about their number."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.dependencies import Dependencies, draw_dependencies, fixed_part
from internal_physics.lab.data.reasoning.expressions import Expression
from internal_physics.lab.data.reasoning.parameters import Parameters
from internal_physics.lab.data.reasoning.problem import Problem, Solution
from internal_physics.lab.data.reasoning.sizes import MEDIUM, ReasoningSizes, draw_operations, draw_sizes
from internal_physics.lab.data.reasoning.solve import level_1_solution
from internal_physics.lab.data.reasoning.statements import draw_statement
from internal_physics.lab.data.reasoning.structure import draw_structure
from internal_physics.lab.data.reasoning.templates import N_BINS, bin_of_one_operation, template_bin
from internal_physics.lab.data.reasoning.write import N_LETTERS

MOST_TRIES = 20_000


@dataclass(frozen=True)
class WordProblem:
    """A problem about things, and the shortest solution that belongs to it.

    Attributes:
        parameters: what its parameters count; their indices are those of the problem.
        problem: what each equals, and which is asked for.
        solution: a random shortest one; its template decides between training and test.
    """

    parameters: Parameters
    problem: Problem
    solution: Solution

    @cached_property
    def template_bin(self) -> int:
        """The bin of its solution's template, 0..22."""
        return template_bin(self.solution, self.parameters.n_instances)


def draw_word_problem(
    sizes: ReasoningSizes = MEDIUM,
    *,
    draws: np.random.Generator,
    operations: int | None = None,
    bins: Collection[int] | None = None,
) -> WordProblem:
    """A random problem.

    op is drawn once; structure and dependencies are drawn until they have it and the template is in one of the bins.
    Only where the bins have no template of one operation, an op of 1 is drawn again.

    Args:
        sizes: the limits of the problem.
        draws: of everything.
        operations: op of the problem; by default the smaller of two uniform draws. It may be above the limit, for
            problems that are harder than those of training.
        bins: where the template of the solution may be; anywhere when not given.

    Raises:
        UserError: for bins that do not exist, and where no such problem is found, as an op that the sizes do not allow.
    """
    allowed = _checked(bins)
    random = Random(int(draws.integers(1 << 63)))
    target = _draw_operations(sizes, allowed, random) if operations is None else operations
    for _ in range(MOST_TRIES if _exists(target, allowed) else 0):
        found = _try(sizes, target, random, draws)
        if found is not None and found.template_bin in allowed:
            return found
    raise UserError(
        f"no problem of {target} operations is found",
        where="problems of reasoning",
        expected=f"1..{N_LETTERS}, as many as {sizes.most_instances} sentences allow, in bins that have them",
        todo="ask for another number of operations, or allow more instances or bins",
    )


def _exists(target: int, allowed: Collection[int]) -> bool:
    """Whether a problem of so many operations can be written, and its template can be in the bins."""
    return 1 < target <= N_LETTERS or (target == 1 and bin_of_one_operation() in allowed)


def _draw_operations(sizes: ReasoningSizes, allowed: Collection[int], random: Random) -> int:
    """Op of a problem, of those that exist."""
    target = draw_operations(sizes, random)
    while not _exists(target, allowed) and sizes.most_operations > 1:
        target = draw_operations(sizes, random)
    return target


def _try(sizes: ReasoningSizes, target: int, random: Random, draws: np.random.Generator) -> WordProblem | None:
    """A problem with the given op, or None if these draws do not lead to one."""
    drawn = draw_sizes(sizes, target, random)
    parameters = Parameters(draw_structure(drawn, random))
    dependencies = draw_dependencies(fixed_part(parameters), drawn, sizes.most_operands, random)
    if dependencies is None:
        return None
    problem = _stated(parameters, dependencies, sizes.modulus, random)
    return WordProblem(parameters, problem, level_1_solution(problem, draws))


def _stated(parameters: Parameters, dependencies: Dependencies, modulus: int, random: Random) -> Problem:
    """The problem of drawn dependencies, with a random statement for each instance."""
    stated: list[Expression] = [
        draw_statement(needs, instance in dependencies.has_number, modulus, random)
        for instance, needs in enumerate(dependencies.needs)
    ]
    abstract = parameters.abstract_expressions
    expressions = (*stated, *(abstract[index] for index in sorted(abstract)))
    return Problem(expressions, dependencies.query, modulus, frozenset(abstract))


def ask_again(given: WordProblem, *, draws: np.random.Generator, bins: Collection[int] | None = None) -> WordProblem:
    """The same things with another question ("reask"): any parameter is equally likely. This changes op.

    Args:
        given: the problem.
        draws: of the question and of the order of the solution.
        bins: where the template of the solution may be; anywhere when not given.

    Raises:
        UserError: for bins that do not exist, and if no parameter has a solution in one of them.
    """
    allowed, n = _checked(bins), len(given.problem)
    for query in draws.permutation(n):
        old = given.problem
        problem = Problem(old.expressions, int(query), old.modulus, old.unstated)
        if problem.n_operations <= N_LETTERS:
            found = WordProblem(given.parameters, problem, level_1_solution(problem, draws))
            if found.template_bin in allowed:
                return found
    raise UserError(
        "no question has a solution in the bins",
        where="problems of reasoning",
        expected="bins that some question leads to",
        todo="allow more bins",
    )


def _checked(bins: Collection[int] | None) -> Collection[int]:
    if bins is None:
        return range(N_BINS)
    if not bins or not {*bins} <= set(range(N_BINS)):
        raise UserError(
            f"bins {sorted(bins)}",
            where="problems of reasoning",
            expected=f"some of 0..{N_BINS - 1}",
            todo="take TRAINING_BINS or TEST_BINS",
        )
    return bins
