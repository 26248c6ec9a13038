"""Problems that a model solves by itself, every step of its solutions checked."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from internal_physics.config.options.lab_reasoning import ReasoningData
from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.reasoning.check import Verdict, check
from internal_physics.lab.data.reasoning.nano import BACK_TOKENS, STEP_TOKENS, NanoProblem, draw_problem, read_solution
from internal_physics.lab.data.reasoning.problem import Solution
from internal_physics.lab.data.reasoning.solve import random_order
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID
from internal_physics.lab.models.run import continue_rows

_MOST_RETRIES = 8
"""For which a solution that a model writes has room."""


@dataclass(frozen=True)
class Solved:
    """A problem and what a model wrote.

    Attributes:
        problem: with the words it is written in.
        tokens: of the solution, without padding.
        solution: as read.
        verdict: of the checker.
    """

    problem: NanoProblem
    tokens: list[int]
    solution: Solution
    verdict: Verdict

    @property
    def has_right_answer(self) -> bool:
        """Whether the last step computes the query and its value is right, however it came about."""
        steps = [step for step in self.solution.steps if step.value is not None]
        problem = self.problem.problem
        if not steps or self.solution.unreadable or steps[-1].value is None:
            return False
        return steps[-1].parameter == problem.query and steps[-1].value.value == problem.answer

    def tokens_before(self, step: int) -> list[int]:
        """The model's own tokens before a step of its solution."""
        lengths = [BACK_TOKENS if s.is_back else STEP_TOKENS for s in self.solution.steps[:step]]
        return self.tokens[: sum(lengths)]


def fresh_problems(data: ReasoningData, operations: int, n: int, seed: int, purpose: str) -> list[NanoProblem]:
    """Problems of the largest size that depend on the seed and not on the arm, so that arms solve the same ones."""
    draws = generator(seed, "problems of a measurement", purpose, str(operations))
    return [draw_problem(draws, operations, data.parameters) for _ in range(n)]


def solve_all(model: PreTrainedModel, problems: Sequence[NanoProblem], operations: int) -> list[Solved]:
    """What a model writes for problems, its best token each time.

    Args:
        model: causal.
        problems: with prompts of one length.
        operations: that each needs; longer solutions have room, too.
    """
    prompts = np.array([problem.prompt() for problem in problems])
    n_new = (operations + 2) * STEP_TOKENS + _MOST_RETRIES * BACK_TOKENS + 1
    return [
        judged(problem, row.tolist())
        for problem, row in zip(problems, continue_rows(model, prompts, n_new), strict=True)
    ]


def judged(problem: NanoProblem, tokens: list[int]) -> Solved:
    """A problem and the tokens of a solution, read and checked."""
    solution = read_solution(problem, tokens)
    written = [token for token in tokens if token not in (PADDING_ID, END_ID)]
    return Solved(problem, written, solution, check(problem.problem, solution))


def unnecessary_at_random(problems: Sequence[NanoProblem], draws: np.random.Generator) -> float:
    """Mean number of unnecessary parameters of a solver without a plan.

    It computes any parameter that can be next until it has the query.
    """
    counts = []
    for drawn in problems:
        problem = drawn.problem
        order = random_order(problem, draws, range(len(problem)))
        counts.append(len(set(order[: order.index(problem.query)]) - problem.needed))
    return float(np.mean(counts))
