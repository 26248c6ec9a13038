"""The checker accepts every correct solution and names the first error of a wrong one (T8)."""

from dataclasses import replace

import numpy as np
import pytest
from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.check import check
from internal_physics.lab.data.reasoning.expressions import Number, Operation, Reference
from internal_physics.lab.data.reasoning.problem import (
    UNKNOWN,
    Calculation,
    Problem,
    Result,
    Solution,
    Step,
    Term,
    back,
)
from internal_physics.lab.data.reasoning.solve import level_0_solution, level_1_solution, random_order, solve
from reasoning_problems import random_problem, topological_orders


def _problem() -> Problem:
    """0 = 3; 1 = 4; 2 = p0 + p1; 3 = 2 * (p2 - p0); 4 = p0; query 3, modulo 7: 3, 4, 0, 1, 3."""
    difference = Operation("-", Reference(2), Reference(0))
    expressions = (
        Number(3),
        Number(4),
        Operation("+", Reference(0), Reference(1)),
        Operation("*", Number(2), difference),
        Reference(0),
    )
    return Problem(expressions, query=3, modulus=7)


def _with_step(solution: Solution, at: int, step: Step) -> Solution:
    return replace(solution, steps=(*solution.steps[:at], step, *solution.steps[at + 1 :]))


def test_the_problem_is_what_it_is_by_hand():
    problem = _problem()
    assert problem.values == (3, 4, 0, 1, 3) and problem.answer == 1
    assert problem.needed == {0, 1, 2, 3} and problem.operations == (1, 1, 1, 2, 1) and problem.n_operations == 5


def test_every_topological_order_is_accepted_and_no_other():
    draws = np.random.default_rng(0)
    n_orders = 0
    for _ in range(300):
        problem = random_problem(6, draws)
        orders = topological_orders(problem)
        n_orders += len(orders)
        assert all(check(problem, solve(problem, order)).is_correct for order in orders)
        shuffled = tuple(int(p) for p in draws.permutation(sorted(problem.needed)))
        verdict = check(problem, solve(problem, shuffled))
        assert verdict.is_correct == (shuffled in orders)
        assert verdict.is_correct or verdict.error == "not_ready"
    assert n_orders > 350


def test_random_orders_reach_every_topological_order():
    problem, draws = _problem(), np.random.default_rng(1)
    assert {random_order(problem, draws) for _ in range(50)} == set(topological_orders(problem))


def test_a_thousand_gold_solutions_pass_and_their_levels_are_told():
    draws = np.random.default_rng(2)
    levels = {0: 0, 1: 0}
    for _ in range(500):
        problem = random_problem(7, draws)
        shortest, full = (check(problem, make(problem, draws)) for make in (level_1_solution, level_0_solution))
        assert shortest.is_correct and full.is_correct
        assert (shortest.level, shortest.unnecessary_parameters, shortest.unnecessary_operations) == (1, 0, 0)
        assert full.unnecessary_parameters == 7 - len(problem.needed)
        assert full.unnecessary_operations == sum(problem.operations) - problem.n_operations
        levels[full.level] += 1
    assert levels[0] > 350  # the others need all of their parameters


def test_a_solution_between_the_levels_has_neither():
    problem = Problem((Number(1), Number(2), Number(3)), query=0, modulus=7)
    verdict = check(problem, solve(problem, (1, 0)))
    assert verdict.is_correct and verdict.level is None and verdict.unnecessary_parameters == 1


def test_what_the_text_does_not_state_is_not_asked_of_level_0():
    problem = Problem((Number(1), Number(2), Reference(1)), query=0, modulus=7, unstated=frozenset([2]))
    assert check(problem, solve(problem, (1, 0))).level == 0


@pytest.mark.parametrize(
    ("mutation", "kind", "at"),
    [
        (lambda s: replace(s, steps=s.steps[:1] + s.steps[2:]), "not_ready", 1),
        (lambda s: replace(s, steps=(*s.steps[:2], s.steps[0], *s.steps[2:])), "redefinition", 2),
        (lambda s: replace(s, steps=s.steps[:-1]), "wrong_final", 3),
        (lambda s: replace(s, answer=2), "wrong_final", 4),
        (lambda s: replace(s, unreadable="so so"), "unreadable", 4),
        (lambda s: _with_step(s, 1, Step(9, (), Term(1, Number(1)))), "unreadable", 1),
        (lambda s: _with_step(s, 0, Step(0, (), Term(4, Number(3)))), "arithmetic", 0),
        (lambda s: _with_step(s, 0, Step(0, (), Term(4, Number(4)))), "wrong_operands", 0),
        (lambda s: _with_step(s, 1, Step(1, (), Term(4, UNKNOWN))), "wrong_operands", 1),
    ],
)
def test_a_mutated_solution_fails_at_its_step_with_the_right_kind(mutation, kind, at):
    problem = _problem()
    gold = solve(problem, (0, 1, 2, 3))
    assert check(problem, gold).is_correct
    verdict = check(problem, mutation(gold))
    assert (verdict.error, verdict.step) == (kind, at) and verdict.what and verdict.level is None


def test_each_part_of_a_calculation_is_checked():
    problem = _problem()
    gold = solve(problem, (0, 1, 2, 3))
    minus, times = gold.steps[3].calculations
    assert (minus.result, times.result) == (4, 1)

    def error(*calculations: Calculation, value: Term | None = None) -> str:
        step = Step(3, calculations, value or Term(calculations[-1].result, Result(len(calculations) - 1)))
        return check(problem, _with_step(gold, 3, step)).error

    assert error(minus, times) == error(minus, replace(times, left=times.right, right=times.left)) == ""
    assert error(replace(minus, left=minus.right, right=minus.left), times) == "wrong_operands"  # not commutative
    assert error(replace(minus, operator="+"), times) == "wrong_operands"
    assert error(minus, replace(times, left=Term(3, Number(3)))) == "wrong_operands"
    assert error(minus) == "wrong_operands"  # the product is left out
    assert error(minus, minus, times) == "wrong_operands"  # a result that nothing reads
    assert error(times, minus) == "wrong_operands"  # reads a result that is not there yet
    assert error(replace(minus, left=Term(1, Reference(2))), times) == "arithmetic"
    assert error(replace(minus, result=5), replace(times, right=Term(5, Result(0)), result=3)) == "arithmetic"
    assert error(minus, replace(times, right=Term(5, Result(0)), result=3)) == "arithmetic"
    assert error(minus, times, value=Term(2, Result(1))) == "arithmetic"


def test_a_dialect_that_writes_only_values_is_checked_by_values():
    problem = Problem((Number(3), Number(4), Operation("+", Reference(0), Reference(1))), query=2, modulus=5)
    begin = (Step(0, (), Term(3)), Step(1, (), Term(4)))

    def error(left: int, right: int, result: int) -> str:
        step = Step(2, (Calculation("+", Term(left), Term(right), result),), Term(result))
        return check(problem, Solution((*begin, step))).error

    assert error(3, 4, 2) == error(4, 3, 2) == ""
    assert error(3, 3, 1) == "wrong_operands"
    assert error(3, 4, 3) == "arithmetic"


def test_steps_that_are_taken_back_are_counted_and_are_no_error():
    problem = _problem()
    gold = solve(problem, (0, 1, 2, 3))
    steps = (gold.steps[0], back(3), back(3), *gold.steps[1:])
    assert check(problem, replace(gold, steps=steps)).retries == 2
    assert check(problem, replace(gold, steps=steps)).is_correct
    assert check(problem, replace(gold, steps=(steps[0], steps[1], gold.steps[3], back(2)))).retries == 1


def test_a_problem_that_is_none_is_refused():
    for expressions, query, modulus, what in [
        ((Reference(1), Reference(0), Number(1)), 2, 7, "circle"),
        ((Reference(0),), 0, 7, "circle"),
        ((Reference(3),), 0, 7, "parameter 3 of 1"),
        ((Number(7),), 0, 7, "number 7"),
        ((Number(1),), 1, 7, "query"),
        ((Number(0),), 0, 1, "modulus 1"),
    ]:
        with pytest.raises(UserError, match=what):
            Problem(expressions, query, modulus)
