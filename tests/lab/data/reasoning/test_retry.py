"""Retries are what they are said to be, as often as they should be, and can be taken out again (T10)."""

import numpy as np
import pytest
from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.check import check
from internal_physics.lab.data.reasoning.expressions import Number, Reference
from internal_physics.lab.data.reasoning.labels import labels_of
from internal_physics.lab.data.reasoning.problem import Problem, Solution
from internal_physics.lab.data.reasoning.retry import RETRY_KINDS, with_retries, without_retries, wrong_name_mask
from internal_physics.lab.data.reasoning.solve import level_1_solution, solve
from reasoning_problems import random_problem


@pytest.mark.parametrize("kind", RETRY_KINDS)
def test_retries_name_what_their_kind_allows_and_no_parameter_twice_before_a_step(kind):
    draws = np.random.default_rng(0)
    n_retries = 0
    for _ in range(200):
        problem = random_problem(8, draws)
        solution = with_retries(problem, level_1_solution(problem, draws), 0.6, draws, kind)
        labels = labels_of(problem, solution)
        named: set[int] = set()
        for row, step in enumerate(solution.steps):
            if not step.is_back:
                named = set()
                continue
            n_retries += 1
            later = {other.parameter for other in solution.steps[row:] if not other.is_back}
            assert step.parameter not in named
            named.add(step.parameter)
            assert not labels.known[row, step.parameter]
            assert kind != "retry" or not labels.can_be_next[row, step.parameter]
            assert kind != "retry_weak" or step.parameter in later
    assert n_retries > 300


@pytest.mark.parametrize("kind", RETRY_KINDS)
def test_without_retries_restores_the_solution_and_both_are_correct(kind):
    draws = np.random.default_rng(1)
    for _ in range(100):
        problem = random_problem(8, draws)
        gold = level_1_solution(problem, draws)
        longer = with_retries(problem, gold, 0.5, draws, kind)
        assert without_retries(longer) == gold
        verdict = check(problem, longer)
        assert verdict.is_correct and verdict.retries == len(longer.steps) - len(gold.steps)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_retries_before_a_step_are_geometric_while_candidates_last(rate):
    last = 60
    expressions = (Number(1), *(Reference(0) for _ in range(last)), Reference(last))
    problem = Problem(expressions, query=0, modulus=7)
    gold, draws = solve(problem, (0,)), np.random.default_rng(2)
    counts = np.array([len(with_retries(problem, gold, rate, draws).steps) - 1 for _ in range(4000)])
    mean, deviation = rate / (1 - rate), rate**0.5 / (1 - rate)
    assert abs(counts.mean() - mean) < 4 * deviation / 4000**0.5
    share_of_two = (counts >= 2).mean()
    assert abs(share_of_two - rate**2) < 4 * (rate**2 * (1 - rate**2) / 4000) ** 0.5


def test_where_candidates_run_out_each_is_named_once():
    problem = Problem((Number(1), Reference(0), Reference(1)), query=2, modulus=7)
    solution = with_retries(problem, solve(problem, (0, 1, 2)), 0.999, np.random.default_rng(3))
    assert [(step.parameter, step.is_back) for step in solution.steps[2:]] == [
        (0, False),
        (2, True),
        (1, False),
        (2, False),
    ]
    assert {step.parameter for step in solution.steps[:2]} == {1, 2}


def test_a_rate_of_zero_changes_nothing_and_draws_nothing():
    draws = np.random.default_rng(4)
    problem = random_problem(5, draws)
    gold, before = level_1_solution(problem, draws), draws.bit_generator.state
    assert with_retries(problem, gold, 0.0, draws) is gold and draws.bit_generator.state == before


def test_the_mask_covers_the_wrong_names_only():
    problem = Problem((Number(1), Reference(0), Reference(1)), query=2, modulus=7)
    gold = solve(problem, (0, 1, 2))
    solution = with_retries(problem, Solution(gold.steps[:1]), 0.999, np.random.default_rng(5))
    names = [(1, 3), (6, 7), (9, 12)]
    assert [step.is_back for step in solution.steps] == [True, True, False]
    assert np.flatnonzero(wrong_name_mask(solution, names, 14)).tolist() == [1, 2, 6]


def test_wrong_rates_and_kinds_are_refused():
    problem = Problem((Number(1),), query=0, modulus=7)
    gold, draws = solve(problem, (0,)), np.random.default_rng(6)
    with pytest.raises(UserError, match="a rate of 1"):
        with_retries(problem, gold, 1.0, draws)
    with pytest.raises(UserError, match="retry_strong"):
        with_retries(problem, gold, 0.1, draws, "retry_strong")
