"""Strings of a grammar as training batches."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from internal_physics.ground.errors import ConfigError
from internal_physics.lab.data.batches import Batch, generator, predict_all
from internal_physics.lab.data.grammars.forest import sample_forest
from internal_physics.lab.data.grammars.grammar import Grammar
from internal_physics.lab.data.grammars.laws import length_bounds, mean_length
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID, SPECIAL_WORDS, Vocabulary

FIRST_TERMINAL_ID = len(SPECIAL_WORDS)
"""The vocabulary's id of the first terminal; the others follow."""


@dataclass(frozen=True)
class GrammarBatches:
    """Fresh random strings at every step: no string is shown twice but by chance.

    Attributes:
        grammar: whose strings.
        rows: of a batch.
        tokens_per_row: of a batch.
        steps: of the training.
        seed: of the strings.
        concatenated: rows are windows of `<eos> string <eos> string ...`, and may begin within a string. If not, a row
            is `<eos> string <eos>` and padding.
    """

    grammar: Grammar
    rows: int
    tokens_per_row: int
    steps: int
    seed: int
    concatenated: bool = True

    def __post_init__(self) -> None:
        needed = length_bounds(self.grammar)[1] + 2
        if not self.concatenated and self.tokens_per_row < needed:
            raise ConfigError(
                f"rows of {self.tokens_per_row} tokens",
                where=f"batches of grammar {self.grammar.name}",
                expected=f"at least {needed}: the longest string and both its ends",
                todo="make the rows longer, or concatenate the strings",
            )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """`<eos>`, `<pad>`, and the terminals."""
        return Vocabulary.of(self.grammar.words)

    def at(self, step: int) -> Batch:
        """The batch of a step, 0..steps - 1."""
        rng = generator(self.seed, "strings of a grammar", str(step))
        return predict_all(self._windows(rng) if self.concatenated else self._single(rng))

    def _windows(self, rng: np.random.Generator) -> np.ndarray:
        n_tokens = self.rows * self.tokens_per_row
        n_strings = int(n_tokens / (mean_length(self.grammar) + 1)) + 1
        stream = np.empty(0, dtype=np.int64)
        while stream.size < n_tokens:
            stream = np.concatenate([stream, _joined(self.grammar, n_strings, rng)])
            n_strings = 1 + n_strings // 10
        return stream[:n_tokens].reshape(self.rows, self.tokens_per_row)

    def _single(self, rng: np.random.Generator) -> np.ndarray:
        strings = sample_forest(self.grammar, self.rows, rng)
        tokens = np.full((self.rows, self.tokens_per_row), PADDING_ID, dtype=np.int64)
        columns = np.arange(self.tokens_per_row)
        tokens[:, 0] = END_ID
        tokens[(columns >= 1) & (columns <= strings.lengths[:, None])] = strings.terminals + FIRST_TERMINAL_ID
        tokens[np.arange(self.rows), strings.lengths + 1] = END_ID
        return tokens


def _joined(grammar: Grammar, n_strings: int, rng: np.random.Generator) -> np.ndarray:
    """`<eos> string <eos> string ...` as ids of the vocabulary."""
    forest = sample_forest(grammar, n_strings, rng)
    starts = np.cumsum(forest.lengths) - forest.lengths
    return np.insert(forest.terminals + FIRST_TERMINAL_ID, starts, END_ID)
