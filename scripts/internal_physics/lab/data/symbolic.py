"""Biographies and questions of single words as rows of token ids, for models that two CPU cores can train."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from internal_physics.lab.data.biographies import N_SENTENCES, Plans
from internal_physics.lab.data.people import People
from internal_physics.lab.data.pools import ATTRIBUTES, Pools
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID, Vocabulary

ANSWER = "answer:"
IS_NAMED = "is-named"
MANIPULATING = ("parity?", "month-then-parity?", "later-month?", "year?", "who?")  # questions about what is known
_N_VALUE, _N_NAME = 3, 3  # words of the longest value, a date, and of a name
_NONE = -1  # no token


@dataclass(frozen=True)
class Rows:
    """Rows of tokens, one for each biography or question.

    Attributes:
        tokens: int64 [n, tokens], filled up with padding.
        is_value: bool [n, tokens], whether the token is part of a value.
        is_name: bool [n, tokens], whether it is part of the first full name.
        attribute: int64 [n, tokens], the attribute of a value token; -1 elsewhere.
    """

    tokens: np.ndarray
    is_value: np.ndarray
    is_name: np.ndarray
    attribute: np.ndarray


@dataclass(frozen=True)
class Language:
    """Words of symbolic biographies and their ids.

    Attributes:
        pools: lists of single words (`symbolic_pools`), or any whose values have at most three words, and whose names
            and pronouns have one.
    """

    pools: Pools

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Names, pronouns, values, template words, then the words of questions."""
        pools = self.pools
        names = (pools.first, pools.middle, pools.last, pools.pronouns)
        values = (pools.months, pools.days, pools.years, pools.cities, pools.universities, pools.majors)
        places = (pools.employers, pools.employer_cities)
        used = [f"{lead} {tail}" for name in ATTRIBUTES for lead, tail in pools.templates[name]]
        template_words = sorted({word for text in used for word in text.split()})
        questions = (*(f"{name}?" for name in ATTRIBUTES), ANSWER, IS_NAMED, *MANIPULATING)
        groups = (*names, *values, *places, template_words, questions)
        return Vocabulary.of(dict.fromkeys(word for group in groups for text in group for word in text.split()))

    def name_ids(self, people: People) -> np.ndarray:
        """int64 [people, 3]."""
        pools = self.pools
        parts = ((pools.first, people.first), (pools.middle, people.middle), (pools.last, people.last))
        return np.stack([self.vocabulary.ids(words)[rows] for words, rows in parts], axis=1)

    def value_ids(self, people: People) -> np.ndarray:
        """int64 [people, 6, 3]: tokens of each attribute's value, -1 after its end. A date is month, day and year."""
        pools, ids = self.pools, self.vocabulary.ids
        found = np.full((len(people), N_SENTENCES, _N_VALUE), _NONE, dtype=np.int64)
        dates = ((pools.months, people.month), (pools.days, people.day), (pools.years, people.year))
        for place, (words, rows) in enumerate(dates):
            found[:, 0, place] = ids(words)[rows]
        lists = (
            (pools.cities, people.city),
            (pools.universities, people.university),
            (pools.majors, people.major),
            (pools.employers, people.employer),
            (pools.employer_cities, people.employer_city),
        )
        for attribute, (values, rows) in enumerate(lists, start=1):
            found[:, attribute] = self._ids_of_values(values)[rows]
        return found

    def _ids_of_values(self, values: Sequence[str]) -> np.ndarray:
        """int64 [values, 3]: ids of the words of each, -1 after their end."""
        ids = np.full((len(values), _N_VALUE), _NONE, dtype=np.int64)
        for number, value in enumerate(values):
            words = value.split()
            ids[number, : len(words)] = self.vocabulary.ids(words)
        return ids

    def first_value_ids(self) -> list[np.ndarray]:
        """For each attribute int64 [values]: the first word of each value that is possible; of dates, the months."""
        pools = self.pools
        lists = (pools.months, pools.cities, pools.universities, pools.majors, pools.employers, pools.employer_cities)
        return [self.vocabulary.ids([value.split()[0] for value in values]) for values in lists]

    def shared_ids(self) -> np.ndarray:
        """int64: words of biographies that belong to no person and no value: pronouns and words of templates."""
        templates = np.unique(self._templates[self._templates != _NONE])
        return np.concatenate([self.vocabulary.ids(self.pools.pronouns), templates])

    @cached_property
    def _templates(self) -> np.ndarray:
        """int64 [6, templates, words]: ids of the words before the value, -1 after their end."""
        ids = [[self.vocabulary.ids(lead.split()) for lead, _ in self.pools.templates[name]] for name in ATTRIBUTES]
        longest = max(len(words) for given in ids for words in given)
        padded = [[np.pad(words, (0, longest - len(words)), constant_values=_NONE) for words in row] for row in ids]
        return np.array(padded)

    def biographies(self, people: People, plans: Plans) -> Rows:
        """Rows of biographies, without <eos>; all of one length where all plans have equally many names.

        Words after a value are left out: symbolic templates have none.
        """
        names, values = self.name_ids(people)[plans.person], self.value_ids(people)
        pronouns = self.vocabulary.ids(self.pools.pronouns)[people.pronoun[plans.person]]
        n = len(plans)
        short = np.pad(pronouns[:, None, None], ((0, 0), (0, 0), (0, _N_NAME - 1)), constant_values=_NONE)
        subject = np.where(plans.has_name[:, :, None], names[:, None, :], short)
        template = self._templates[plans.order, plans.template]
        value = values[plans.person[:, None], plans.order]
        tokens: np.ndarray = np.concatenate([subject, template, value], axis=2)
        kind: np.ndarray = np.full(tokens.shape, _NONE, dtype=np.int64)
        kind[:, :, -_N_VALUE:] = plans.order[:, :, None]
        first_name = self._first_name(plans, tokens.shape[2])
        tokens, kind = tokens.reshape(n, -1), kind.reshape(n, -1)
        if plans.ends_with_name:
            named = np.full((n, 1), self.vocabulary.ids([IS_NAMED])[0])
            tokens = np.concatenate([tokens, named, names], axis=1)
            kind = np.pad(kind, ((0, 0), (0, 1 + _N_NAME)), constant_values=_NONE)
            first_name = np.pad(first_name, ((0, 0), (0, 1 + _N_NAME)))
            first_name[:, -_N_NAME:] = np.logical_not(plans.has_name.any(axis=1, keepdims=True))
        return _compact(tokens, kind, first_name)

    def _first_name(self, plans: Plans, width: int) -> np.ndarray:
        """Where the first full name stands before gaps are taken out: bool [n, 6 · width]."""
        is_first = plans.has_name & (plans.has_name.cumsum(axis=1) == 1)
        return np.repeat(is_first, width, axis=1) & np.tile(np.arange(width) < _N_NAME, N_SENTENCES)

    def questions(self, people: People, persons: np.ndarray, attributes: np.ndarray) -> Rows:
        """Rows "<eos> attribute? name answer: value <eos>"; the prompt is the first `PROMPT_TOKENS` tokens.

        Args:
            people: of whom some are asked about.
            persons: int64 [n], whom each asks about.
            attributes: int64 [n], what it asks.
        """
        asked = self.vocabulary.ids([f"{name}?" for name in ATTRIBUTES])[attributes][:, None]
        answer = np.full((len(persons), 1), self.vocabulary.ids([ANSWER])[0])
        values = self.value_ids(people)[persons, attributes]
        end = np.full((len(persons), 1), END_ID)
        tokens = np.concatenate([end, asked, self.name_ids(people)[persons], answer, values, end], axis=1)
        kind = np.full(tokens.shape, _NONE, dtype=np.int64)
        kind[:, PROMPT_TOKENS : PROMPT_TOKENS + _N_VALUE] = attributes[:, None]
        is_name = np.zeros(tokens.shape, dtype=bool)
        is_name[:, 2 : 2 + _N_NAME] = True
        return _compact(tokens, kind, is_name)


PROMPT_TOKENS = 3 + _N_NAME  # of a question, before its answer


def _compact(tokens: np.ndarray, kind: np.ndarray, is_name: np.ndarray) -> Rows:
    """The rows without their gaps, filled up with padding on the right."""
    is_there = tokens != _NONE
    width = int(is_there.sum(axis=1).max())
    place = np.argsort(~is_there, axis=1, kind="stable")[:, :width]
    tokens, kind = np.take_along_axis(tokens, place, axis=1), np.take_along_axis(kind, place, axis=1)
    is_there = tokens != _NONE
    is_name = np.take_along_axis(is_name, place, axis=1) & is_there
    kind = np.where(is_there, kind, _NONE)
    return Rows(np.where(is_there, tokens, PADDING_ID), kind >= 0, is_name, kind)
