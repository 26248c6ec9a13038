"""Training on stored biographies and on questions about some people, in symbolic words."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from internal_physics.lab.data.batches import Batch, generator, predict_all
from internal_physics.lab.data.biographies import N_SENTENCES
from internal_physics.lab.data.passes import members_at, steps_for
from internal_physics.lab.data.people import People
from internal_physics.lab.data.symbolic import Language, Rows
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID, Vocabulary


@dataclass(frozen=True)
class BiographyBatches:
    """Rows of whole biographies. Each person comes once in every pass, each time with the next of its stored texts.

    Attributes:
        vocabulary: of the texts.
        texts: int64 [n, tokens], stored biographies, filled up with padding.
        texts_of: int64 [people, most texts of a person], rows of `texts`; -1 beyond a person's last.
        exposures: texts of each person in the whole training, exactly.
        texts_per_row: biographies in one row.
        rows: rows of one step.
        seed: of the orders.
    """

    vocabulary: Vocabulary
    texts: np.ndarray
    texts_of: np.ndarray
    exposures: int
    texts_per_row: int
    rows: int
    seed: int

    @property
    def tokens_per_row(self) -> int:
        """Tokens of the longest possible row, with <eos> before the first text and after each."""
        return self.texts_per_row * (self.texts.shape[1] + 1) + 1

    @property
    def steps(self) -> int:
        """Steps in which every person comes `exposures` times."""
        return steps_for(len(self.texts_of), self.exposures, self.rows * self.texts_per_row, "exposures")

    @cached_property
    def _first(self) -> np.ndarray:
        """int64 [people]: which of a person's texts comes first, so that not all begin with their first."""
        return generator(self.seed, "first texts").integers(0, 1 << 20, size=len(self.texts_of))

    def texts_at(self, step: int) -> np.ndarray:
        """int64 [rows, texts_per_row]: the stored texts that a step reads."""
        n = self.rows * self.texts_per_row
        places = np.arange(step * n, (step + 1) * n)
        persons = members_at(places, len(self.texts_of), self.seed, "order of people")
        numbers = places // len(self.texts_of) + self._first[persons]
        own = self.texts_of[persons]
        chosen = np.take_along_axis(own, (numbers % (own >= 0).sum(axis=1))[:, None], axis=1)
        return chosen.reshape(self.rows, self.texts_per_row)

    def at(self, step: int) -> Batch:
        """The rows of a step."""
        tokens = np.pad(self.texts[self.texts_at(step)], ((0, 0), (0, 0), (0, 1)), constant_values=PADDING_ID)
        ends = (tokens == PADDING_ID).argmax(axis=2)
        np.put_along_axis(tokens, ends[:, :, None], END_ID, axis=2)
        flat = np.pad(tokens.reshape(self.rows, -1), ((0, 0), (1, 0)), constant_values=END_ID)
        place = np.argsort(flat == PADDING_ID, axis=1, kind="stable")
        return predict_all(np.take_along_axis(flat, place, axis=1))


@dataclass(frozen=True)
class AnswerBatches:
    """Rows with a prompt and an answer, drawn out of a pool; only answers and the <eos> after them have a loss.

    Attributes:
        vocabulary: of the rows.
        tokens: int64 [pool, tokens], filled up with padding.
        is_answer: bool [pool, tokens].
        rows: rows of one step.
        steps: of the whole training.
        seed: of the draws.
    """

    vocabulary: Vocabulary
    tokens: np.ndarray
    is_answer: np.ndarray
    rows: int
    steps: int
    seed: int

    @property
    def tokens_per_row(self) -> int:
        """Tokens of the longest row."""
        return int(self.tokens.shape[1])

    def at(self, step: int) -> Batch:
        """The rows of a step."""
        chosen = generator(self.seed, "questions", str(step)).integers(0, len(self.tokens), self.rows)
        tokens = self.tokens[chosen]
        weights = (self.is_answer[chosen] | (tokens == END_ID)).astype(np.float32)
        weights[:, 0] = 0.0  # the <eos> that begins a row
        return Batch(tokens, weights)


def all_questions(language: Language, people: People, persons: np.ndarray) -> Rows:
    """The six questions about each of the persons, with their answers."""
    attributes = np.tile(np.arange(N_SENTENCES), len(persons))
    return language.questions(people, np.repeat(persons, N_SENTENCES), attributes)
