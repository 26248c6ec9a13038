"""Training data of the experiment `reasoning`."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from internal_physics.config.options.lab_reasoning import ReasoningData
from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import Batch, generator
from internal_physics.lab.data.padding import padded
from internal_physics.lab.data.reasoning.nano import (
    BACK_ID,
    BACK_TOKENS,
    N_NAMES,
    STEP_TOKENS,
    VOCABULARY,
    NanoProblem,
    draw_problem,
)
from internal_physics.lab.data.reasoning.retry import with_retries
from internal_physics.lab.data.reasoning.solve import level_1_solution
from internal_physics.lab.data.vocabulary import Vocabulary

POOL_PROBLEMS = 1024
"""Problems that are drawn together and sorted by length, so that rows of a batch need little padding."""
_JITTER_TOKENS = 4


@dataclass(frozen=True)
class ReasoningBatches:
    """Rows `<eos> problem solution <eos>`; the solution has a loss, the problem has none."""

    options: ReasoningData
    seed: int

    @property
    def vocabulary(self) -> Vocabulary:
        """Words of the nano dialect."""
        return VOCABULARY

    @property
    def tokens_per_row(self) -> int:
        """Of the longest possible row: the largest problem, and a retry of every other parameter before every step."""
        options = self.options
        retries = options.parameters * BACK_TOKENS if options.retry_rate else 0
        return 1 + 4 * options.parameters + 3 + options.operations * (STEP_TOKENS + retries) + 1

    @property
    def steps(self) -> int:
        """Of the training."""
        return self.options.steps

    def at(self, step: int) -> Batch:
        """See `Batches`."""
        pool, place = divmod(self.options.skipped_steps + step, _pool_steps(self.options))
        return _pool(self.options, self.seed, pool)[place]


def planned_steps(options: ReasoningData) -> int:
    """Steps of a training; its problems are drawn later.

    Raises:
        ConfigError: as `batches`.
    """
    return batches(options, seed=0).steps


def batches(options: ReasoningData, seed: int) -> ReasoningBatches:
    """The training set of an arm.

    Raises:
        ConfigError: if problems have no room for a parameter that is not needed.
    """
    if not options.operations < options.parameters <= N_NAMES:
        raise ConfigError(
            f"{options.operations} operations in problems of {options.parameters} parameters",
            where="operations",
            expected=f"fewer operations than parameters, and at most {N_NAMES} parameters",
            todo="take fewer operations, or more parameters",
        )
    return ReasoningBatches(options, seed)


def _pool_steps(options: ReasoningData) -> int:
    return max(1, POOL_PROBLEMS // options.problems_per_step)


@lru_cache(maxsize=2)
def _pool(options: ReasoningData, seed: int, number: int) -> tuple[Batch, ...]:
    """The batches of some steps, in random order, each of rows of about one length."""
    draws = generator(seed, "problems of a training", str(number))
    n_steps = _pool_steps(options)
    rows = [_row(options, draws) for _ in range(n_steps * options.problems_per_step)]
    lengths = np.array([len(prompt) + len(solution) for prompt, solution in rows])
    order = np.argsort(lengths + _JITTER_TOKENS * draws.random(len(rows)))
    groups = order.reshape(n_steps, options.problems_per_step)[draws.permutation(n_steps)]
    return tuple(_batch([rows[index] for index in group], options.masks_retries) for group in groups)


def _row(options: ReasoningData, draws: np.random.Generator) -> tuple[list[int], list[int]]:
    """Tokens of a problem and of its solution."""
    needed = int(draws.integers(1, options.operations + 1))
    parameters = int(draws.integers(needed + 1, options.parameters + 1))
    drawn: NanoProblem = draw_problem(draws, needed, parameters)
    solution = level_1_solution(drawn.problem, draws)
    solution = with_retries(drawn.problem, solution, options.retry_rate, draws, options.retry_kind)
    return drawn.prompt(), drawn.solution(solution)


def _batch(rows: list[tuple[list[int], list[int]]], masks_retries: bool) -> Batch:
    tokens = padded([[*prompt, *solution] for prompt, solution in rows])
    weights = np.zeros(tokens.shape, np.float32)
    for row, (prompt, solution) in enumerate(rows):
        weights[row, len(prompt) : len(prompt) + len(solution)] = 1.0
    if masks_retries:
        weights[:, :-1][tokens[:, 1:] == BACK_ID] = 0.0  # the name before it
    return Batch(tokens, weights)
