"""Retry data: sentences that name a wrong parameter and take it back, put before the steps of a solution."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from internal_physics.ground.errors import UserError
from internal_physics.lab.data.reasoning.problem import Problem, Solution, Step, back

RETRY_KINDS = {
    "retry": "a parameter that is not computed yet and cannot be next",
    "retry_weak": "a parameter of this or a later step of the solution",
    "retry_miss": "any parameter of the problem that is not computed yet",
}
"""What a step that is taken back may name, by kind."""


def with_retries(
    problem: Problem, solution: Solution, rate: float, draws: np.random.Generator, kind: str = "retry"
) -> Solution:
    """Put steps that are taken back before the steps of a solution.

    Before each step: with probability `rate`, one that names a wrong parameter, and so on until a draw says no or no
    parameter is left. Before the same step no parameter is named twice. So while there are enough of them, their number
    before a step is geometric with the mean rate / (1 - rate).

    Args:
        problem: whose.
        solution: without steps that are taken back.
        rate: 0..1, without 1.
        draws: of the choices; a rate of 0 draws nothing.
        kind: which parameters may be named, one of `RETRY_KINDS`.

    Raises:
        UserError: for a rate out of range, or another kind.
    """
    _require(rate, kind)
    if rate == 0:
        return solution
    steps: list[Step] = []
    computed: set[int] = set()
    for index, step in enumerate(solution.steps):
        candidates = _candidates(problem, solution, index, computed, kind)
        while candidates and draws.random() < rate:
            steps.append(back(candidates.pop(int(draws.integers(len(candidates))))))
        steps.append(step)
        computed.add(step.parameter)
    return replace(solution, steps=tuple(steps))


def _candidates(problem: Problem, solution: Solution, index: int, computed: set[int], kind: str) -> list[int]:
    """What may be named before a step, in ascending order."""
    if kind == "retry_weak":
        return sorted({step.parameter for step in solution.steps[index:]})
    unknown = [parameter for parameter in range(len(problem)) if parameter not in computed]
    if kind == "retry_miss":
        return unknown
    return [parameter for parameter in unknown if not problem.dependencies[parameter] <= computed]


def without_retries(solution: Solution) -> Solution:
    """The solution without the steps that are taken back."""
    kept = tuple(step for step in solution.steps if not step.is_back)
    return replace(solution, steps=kept)


def wrong_name_mask(solution: Solution, names: Sequence[tuple[int, int]], n_tokens: int) -> np.ndarray:
    """Which tokens name a parameter that is then taken back; training may leave their loss out.

    Args:
        solution: of the text.
        names: for each step, the first token of its parameter's name and the one after the last.
        n_tokens: of the whole text.

    Returns:
        [n_tokens] bool.
    """
    mask = np.zeros(n_tokens, dtype=bool)
    for step, (first, end) in zip(solution.steps, names, strict=True):
        if step.is_back:
            mask[first:end] = True
    return mask


def _require(rate: float, kind: str) -> None:
    if not 0 <= rate < 1:
        raise UserError(
            f"a rate of {rate}", where="retries", expected="0 or more and below 1", todo="give another rate"
        )
    if kind not in RETRY_KINDS:
        raise UserError(
            f"no retries of kind {kind!r}", where="retries", expected=", ".join(RETRY_KINDS), todo="name one of these"
        )
