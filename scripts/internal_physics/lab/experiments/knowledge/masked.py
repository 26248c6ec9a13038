"""What a masked model remembers and answers: it fills words that are hidden, instead of saying the next one."""

from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from internal_physics.lab.data.batches import Batch
from internal_physics.lab.data.biographies import N_SENTENCES
from internal_physics.lab.data.biography_batches import AnswerBatches
from internal_physics.lab.data.masking import MASK
from internal_physics.lab.data.symbolic import PROMPT_TOKENS
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID, Vocabulary
from internal_physics.lab.experiments.knowledge.data import Taught
from internal_physics.lab.models.run import ROWS_PER_PASS


@dataclass(frozen=True)
class HiddenAnswers:
    """Questions whose answers are hidden, all words of an answer at once; those have the loss.

    Attributes:
        questions: with their answers.
        vocabulary: of the questions, with `<mask>`.
    """

    questions: AnswerBatches
    vocabulary: Vocabulary

    @property
    def tokens_per_row(self) -> int:
        """Tokens of the longest row."""
        return self.questions.tokens_per_row

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.questions.steps

    def at(self, step: int) -> Batch:
        """The rows of a step."""
        batch = self.questions.at(step)
        hidden = (batch.loss_weights > 0) & (batch.tokens != END_ID)
        shown = np.where(hidden, mask_id(self.vocabulary), batch.tokens)
        return Batch(batch.tokens, hidden.astype(np.float32), shown)


def with_mask(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary of a masked model, as `MaskedBatches` has it."""
    return Vocabulary((*vocabulary.all_words, MASK))


def mask_id(vocabulary: Vocabulary) -> int:
    """The id of `<mask>`."""
    return int(vocabulary.ids([MASK])[0])


def hidden_value_shares(model: PreTrainedModel, given: Taught, persons: np.ndarray) -> np.ndarray:
    """[6] share of the words of each attribute's values that the model fills in, in all stored texts of people.

    All words of one value are hidden at once, and everything else of the text is seen.
    """
    chosen = np.isin(given.plans.person, persons)
    tokens = np.pad(given.rows.tokens[chosen], ((0, 0), (1, 0)), constant_values=END_ID)
    attribute = np.pad(given.rows.attribute[chosen], ((0, 0), (1, 0)), constant_values=-1)
    shares = np.zeros(N_SENTENCES)
    for asked in range(N_SENTENCES):
        hidden = attribute == asked
        shown = np.where(hidden, mask_id(with_mask(given.language.vocabulary)), tokens)
        shares[asked] = (_filled(model, shown) == tokens)[hidden].mean()
    return shares


def filled_shares(model: PreTrainedModel, given: Taught, persons: np.ndarray) -> np.ndarray:
    """[6] share of people about whom the answer is right, word for word; words are filled in from left to right."""
    hidden = mask_id(with_mask(given.language.vocabulary))
    shares = np.zeros(N_SENTENCES)
    for attribute in range(N_SENTENCES):
        asked = given.language.questions(given.people, persons, np.full(len(persons), attribute))
        shown = np.where(asked.is_value, hidden, asked.tokens)
        for place in range(PROMPT_TOKENS, PROMPT_TOKENS + int(asked.is_value[0].sum())):
            shown[:, place] = _filled(model, shown)[:, place]
        shares[attribute] = (shown == asked.tokens).all(axis=1).mean()
    return shares


@torch.no_grad()
def _filled(model: PreTrainedModel, shown: np.ndarray) -> np.ndarray:
    """[b, t] int64: the likeliest word at every place."""
    found = np.empty(shown.shape, dtype=np.int64)
    for first in range(0, len(shown), ROWS_PER_PASS):
        ids = torch.as_tensor(shown[first : first + ROWS_PER_PASS], device=model.device)
        logits = model(ids, attention_mask=(ids != PADDING_ID).long()).logits
        found[first : first + ROWS_PER_PASS] = logits.argmax(-1).cpu().numpy()
    return found
