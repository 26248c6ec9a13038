"""What training reads: rows of tokens and the weight of each prediction, as a function of the step.

A training set is a pure function of the step. So a run that was killed and resumed sees the same data as one that
was not, and no state of a generator has to be saved.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from internal_physics.ground.seeds import seed_of
from internal_physics.lab.data.vocabulary import PADDING_ID, Vocabulary


@dataclass(frozen=True)
class Batch:
    """The rows of one training step.

    Attributes:
        tokens: [rows, tokens] int64 ids.
        loss_weights: [rows, tokens] float32; weight of predicting token t from the tokens before it. Column 0 is 0,
            because nothing comes before it. A step's loss is the weighted mean over all tokens.
        inputs: [rows, tokens] int64 ids that a masked model reads instead; `loss_weights` are those of predicting
            token t at its own place. None for a causal model.
    """

    tokens: np.ndarray
    loss_weights: np.ndarray
    inputs: np.ndarray | None = None


class Batches(Protocol):
    """A training set."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Its words."""

    @property
    def tokens_per_row(self) -> int:
        """The largest number of tokens in a row of any batch."""

    @property
    def steps(self) -> int:
        """How many steps the training takes."""

    def at(self, step: int) -> Batch:
        """The batch of a step, 0..steps - 1: the same for every call with the same step."""


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator of random numbers for one purpose, such as `generator(seed, "order of rows", str(step))`.

    It depends on the seed and the names only, so that draws for one purpose or step do not move those of another.
    """
    return np.random.default_rng(seed_of(seed, *names))


def predict_all(tokens: np.ndarray) -> Batch:
    """The batch that predicts every token but the first of each row and padding."""
    weights = (tokens != PADDING_ID).astype(np.float32)
    weights[:, 0] = 0.0
    return Batch(tokens.astype(np.int64, copy=False), weights)
