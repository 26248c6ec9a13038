"""Training on people of bioD, with or without junk: rows are windows of people, all of use or all junk."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from internal_physics.lab.data.batches import Batch, generator, predict_all
from internal_physics.lab.data.bio_d import BioD
from internal_physics.lab.data.passes import members_at, steps_for
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID, Vocabulary


@dataclass(frozen=True)
class BioDBatches:
    """Windows of people, each text with its attributes in a new order.

    Attributes:
        data: the people of use.
        exposures: texts of each of them, exactly.
        people_per_window: texts in one row.
        good_windows: rows of people of use in each step.
        seed: of orders and junk.
        junk_windows: rows of junk in each step.
        repeated_people: of how many people the junk is; 0 for people and values drawn anew each time.
        domain_on_good: whether the domain token stands before texts of use.
        domain_on_junk: whether it stands before junk.
    """

    data: BioD
    exposures: int
    people_per_window: int
    good_windows: int
    seed: int
    junk_windows: int = 0
    repeated_people: int = 0
    domain_on_good: bool = False
    domain_on_junk: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        """That of the people."""
        return self.data.vocabulary

    @property
    def tokens_per_row(self) -> int:
        """Tokens of the longer kind of window, with the last <eos>."""
        sizes = self.data.sizes
        text = 1 + sizes.name_tokens + sizes.attributes * sizes.attribute_tokens
        marked = self.domain_on_good or (self.domain_on_junk and self.junk_windows > 0)
        return self.people_per_window * (text + marked) + 1

    @property
    def steps(self) -> int:
        """Steps in which every person of use comes `exposures` times."""
        return steps_for(self.data.sizes.people, self.exposures, self._texts(self.good_windows), "exposures")

    def persons_at(self, step: int) -> np.ndarray:
        """int64: the people of use whose texts the step reads, in their order."""
        n = self._texts(self.good_windows)
        places = np.arange(step * n, (step + 1) * n)
        return members_at(places, self.data.sizes.people, self.seed, "order of people")

    def at(self, step: int) -> Batch:
        """The windows of a step, those of use first."""
        draws = generator(self.seed, "texts", str(step))
        texts = self.data.of_people(self.persons_at(step), draws, domain=self.domain_on_good)
        tokens = [self._windows(texts, self.good_windows)]
        if self.junk_windows:
            tokens.append(self._windows(self._junk(step, draws), self.junk_windows))
        return predict_all(np.concatenate(tokens))

    def _junk(self, step: int, draws: np.random.Generator) -> np.ndarray:
        n = self._texts(self.junk_windows)
        if not self.repeated_people:
            return self.data.of_strangers(n, draws, domain=self.domain_on_junk)
        places = np.arange(step * n, (step + 1) * n)
        chosen = members_at(places, self.repeated_people, self.seed, "order of repeated junk")
        names, values = self._repeated_names[chosen], self._repeated_values[chosen]
        return self.data.rows(names, values, draws, domain=self.domain_on_junk)

    @cached_property
    def _repeated_names(self) -> np.ndarray:
        return self.data.names_of_strangers(self.repeated_people)

    @cached_property
    def _repeated_values(self) -> np.ndarray:
        sizes = self.data.sizes
        shape = (self.repeated_people, sizes.attributes, sizes.chunks)
        return generator(self.seed, "values of repeated junk").integers(0, sizes.diversity, size=shape)

    def _texts(self, windows: int) -> int:
        return windows * self.people_per_window

    def _windows(self, texts: np.ndarray, windows: int) -> np.ndarray:
        """Texts as rows that end with <eos>, filled up with padding."""
        rows = texts.reshape(windows, -1)
        n = rows.shape[1]
        filled = np.full((windows, self.tokens_per_row), PADDING_ID, dtype=np.int64)
        filled[:, :n], filled[:, n] = rows, END_ID
        return filled
