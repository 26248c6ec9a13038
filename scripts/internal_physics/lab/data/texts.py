"""English biographies and questions about them, many at once, with the place of every value in its text.

Everything is a look-up in lists of pieces, joined by Arrow, so that a million biographies take seconds.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from internal_physics.lab.data.biographies import N_SENTENCES, Plans
from internal_physics.lab.data.people import People
from internal_physics.lab.data.pools import ATTRIBUTES, Pools

QUESTIONS = {
    "birth_date": "What is the birth date of {}?",
    "birth_city": "What is the birth city of {}?",
    "university": "Which university did {} study?",
    "major": "What major did {} study?",
    "employer": "Which company did {} work for?",
    "employer_city": "Where did {} work?",
}
_ANSWER = " Answer: "
_NAME_SENTENCE = " The person's name is "


@dataclass(frozen=True)
class _Pieces:
    """Texts that are looked up, and their lengths in characters."""

    texts: pa.Array
    lengths: np.ndarray

    @classmethod
    def of(cls, texts: pa.Array) -> "_Pieces":
        return cls(texts, pc.utf8_length(texts).to_numpy().astype(np.int64))

    def take(self, rows: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        """The texts in the rows, and their lengths."""
        return self.texts.take(pa.array(rows)), self.lengths[rows]


class Writer:
    """Writes biographies of people from pools.

    Args:
        pools: whose words and templates are used.
    """

    def __init__(self, pools: Pools) -> None:
        self.pools = pools

    @cached_property
    def _values(self) -> _Pieces:
        """The texts of all values, attribute by attribute."""
        lists = [texts for name in ATTRIBUTES for texts in value_texts(self.pools, name)]
        return _Pieces.of(pa.array(lists))

    @cached_property
    def _first_value(self) -> np.ndarray:
        """int64 [6]: where the values of an attribute begin in `_values`."""
        sizes = [len(value_texts(self.pools, name)) for name in ATTRIBUTES]
        return np.cumsum([0, *sizes[:-1]])

    @cached_property
    def _leads(self) -> _Pieces:
        return _Pieces.of(pa.array([f" {lead} " for name in ATTRIBUTES for lead, _ in self.pools.templates[name]]))

    @cached_property
    def _tails(self) -> _Pieces:
        return _Pieces.of(pa.array([f"{tail}." for name in ATTRIBUTES for _, tail in self.pools.templates[name]]))

    def values(self, people: People, attribute: str) -> pa.Array:
        """Text of an attribute of each person."""
        number = ATTRIBUTES.index(attribute)
        return self._values.take(people.values()[:, number] + self._first_value[number])[0]

    def biographies(self, people: People, plans: Plans) -> pa.Table:
        """Biographies as a table, one row for each plan.

        Columns: person, text (which of the person's), order (names of the attributes, sentence by sentence),
        biography, and for each attribute {attribute}_start and {attribute}_end, the characters of its value; also
        name_start and name_end, the first full name.
        """
        names = _Pieces.of(full_names(people))
        pronouns = pa.array(self.pools.pronouns)
        values = people.values()
        joined: list[pa.Array] = []
        at = np.zeros(len(plans), dtype=np.int64)  # characters so far
        starts, ends = np.zeros((2, len(plans), N_SENTENCES), dtype=np.int32)
        name_start = np.full(len(plans), -1, dtype=np.int64)
        for sentence in range(N_SENTENCES):
            attribute, has_name = plans.order[:, sentence], plans.has_name[:, sentence]
            if sentence:
                joined.append(pa.scalar(" "))
                at = at + 1
            name_start = np.where((name_start < 0) & has_name, at, name_start)
            subject = _chosen(has_name, names.texts, plans.person, pronouns, people.pronoun[plans.person])
            at = at + pc.utf8_length(subject).to_numpy()
            which = attribute * self.pools.templates_of_attribute + plans.template[:, sentence]
            lead, length = self._leads.take(which)
            at = at + length
            value, length = self._values.take(values[plans.person, attribute] + self._first_value[attribute])
            rows = np.arange(len(plans))
            starts[rows, attribute], ends[rows, attribute] = at, at + length
            tail, tail_length = self._tails.take(which)
            at = at + length + tail_length
            joined += [subject, lead, value, tail]
        if plans.ends_with_name:
            name_start = np.where(name_start < 0, at + len(_NAME_SENTENCE), name_start)
            joined += [pa.scalar(_NAME_SENTENCE), names.texts.take(pa.array(plans.person)), pa.scalar(".")]
        text = pc.binary_join_element_wise(*joined, "")
        name_length = names.lengths[plans.person]
        columns = {
            "person": pa.array(plans.person),
            "text": pa.array(plans.text.astype(np.int32)),
            "order": _order_names(plans.order),
            "biography": text,
            "name_start": pa.array(name_start.astype(np.int32)),
            "name_end": pa.array((name_start + name_length).astype(np.int32)),
        }
        for number, name in enumerate(ATTRIBUTES):
            columns[f"{name}_start"], columns[f"{name}_end"] = pa.array(starts[:, number]), pa.array(ends[:, number])
        return pa.table(columns)

    def questions(self, people: People, attribute: str) -> pa.Table:
        """One question about each person: person, attribute, question (with "Answer:"), answer."""
        before, after = QUESTIONS[attribute].split("{}")
        question = pc.binary_join_element_wise(before, full_names(people), after + _ANSWER.rstrip(), "")
        n = len(people)
        return pa.table(
            {
                "person": pa.array(np.arange(n)),
                "attribute": pa.array(np.full(n, attribute)),
                "question": question,
                "answer": self.values(people, attribute),
            }
        )


def full_names(people: People) -> pa.Array:
    """First, middle and last name of each person, with blanks between."""
    pools = people.pools
    parts = ((pools.first, people.first), (pools.middle, people.middle), (pools.last, people.last))
    return pc.binary_join_element_wise(*(pa.array(words).take(pa.array(rows)) for words, rows in parts), " ")


def value_texts(pools: Pools, attribute: str) -> list[str]:
    """All values of an attribute, in the order of their numbers (`People.values`)."""
    if attribute == "birth_date":
        dates = ((month, day, year) for month in pools.months for day in pools.days for year in pools.years)
        return [pools.date.format(month=month, day=day, year=year) for month, day, year in dates]
    lists = (pools.cities, pools.universities, pools.majors, pools.employers, pools.employer_cities)
    return list(lists[ATTRIBUTES.index(attribute) - 1])


def _chosen(
    has_name: np.ndarray, names: pa.Array, person: np.ndarray, pronouns: pa.Array, pronoun: np.ndarray
) -> pa.Array:
    """The subject of a sentence in each text."""
    if not has_name.any():
        return pronouns.take(pa.array(pronoun))
    if has_name.all():
        return names.take(pa.array(person))
    return pc.if_else(pa.array(has_name), names.take(pa.array(person)), pronouns.take(pa.array(pronoun)))


def _order_names(order: np.ndarray) -> pa.Array:
    """The attributes of the sentences as one text each, such as "major employer …"; few differ, so as a dictionary."""
    codes, rows = np.unique(order, axis=0, return_inverse=True)
    texts = [" ".join(ATTRIBUTES[attribute] for attribute in code) for code in codes]
    return pa.DictionaryArray.from_arrays(pa.array(rows.reshape(-1).astype(np.int32)), pa.array(texts))
