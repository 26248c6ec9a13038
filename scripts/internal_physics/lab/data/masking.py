"""Rows for a masked model: some words are hidden, and predicted at their own places (Devlin and others 2019)."""

from dataclasses import dataclass

import numpy as np

from internal_physics.lab.data.batches import Batch, Batches, generator
from internal_physics.lab.data.vocabulary import SPECIAL_WORDS, Vocabulary

MASK = "<mask>"
HIDDEN_SHARE = 0.15
_AS_MASK, _AS_ANY = 0.8, 0.1  # of the hidden words; the rest are shown as they are


@dataclass(frozen=True)
class MaskedBatches:
    """A training set for a masked model: that of a causal one, with words hidden anew at each step.

    The vocabulary gets the word `<mask>` at its end, unless it has it.
    """

    causal: Batches
    seed: int

    @property
    def vocabulary(self) -> Vocabulary:
        """Its words."""
        own = self.causal.vocabulary
        return own if MASK in own.all_words else Vocabulary((*own.all_words, MASK))

    @property
    def tokens_per_row(self) -> int:
        """As that of the causal one."""
        return self.causal.tokens_per_row

    @property
    def steps(self) -> int:
        """As those of the causal one."""
        return self.causal.steps

    def at(self, step: int) -> Batch:
        """The batch of a step; a loss on every hidden word."""
        batch = self.causal.at(step)
        return hide_words(batch, self.vocabulary, generator(self.seed, "hidden words", str(step)))


def hide_words(batch: Batch, vocabulary: Vocabulary, draws: np.random.Generator) -> Batch:
    """Hide 15 % of the words: 80 % of them become `<mask>`, 10 % any word, 10 % stay; at least one word is hidden."""
    may = batch.tokens >= len(SPECIAL_WORDS)
    score = np.where(may, draws.random(batch.tokens.shape), np.inf)
    hidden = may & (score <= max(HIDDEN_SHARE, score.min()))
    how = draws.random(batch.tokens.shape)
    (mask_id,) = vocabulary.ids([MASK])
    any_word = draws.integers(len(SPECIAL_WORDS), len(vocabulary), batch.tokens.shape)
    shown = np.where(how < _AS_MASK, mask_id, np.where(how < _AS_MASK + _AS_ANY, any_word, batch.tokens))
    return Batch(batch.tokens, hidden.astype(np.float32), np.where(hidden, shown, batch.tokens))
