"""Questions that need more than repeating what is known: its parity, a comparison, a part of it, or its inverse.

Yes and no are said by the two pronouns, he for yes: the head of a model stays as it is, and could not say a word that
no biography has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from internal_physics.lab.data.batches import generator
from internal_physics.lab.data.people import People
from internal_physics.lab.data.symbolic import ANSWER, Language
from internal_physics.lab.data.vocabulary import END, END_ID, PADDING_ID

TASKS = ("parity", "parity_with_hint", "comparison", "year", "inverse")
_PAIRS_PER_PERSON = 20


@dataclass(frozen=True)
class Task:
    """Questions of one kind with their answers.

    Attributes:
        name: one of TASKS.
        prompts: int64 [n, tokens], up to the answer.
        answers: int64 [n, words].
    """

    name: str
    prompts: np.ndarray
    answers: np.ndarray


def tasks_of(training: str, language: Language, people: People, persons: np.ndarray, seed: int) -> list[Task]:
    """What is asked together about people; `parity` is asked with and without the month as a hint.

    Args:
        training: parity, comparison, year or inverse.
        language: of the questions.
        people: of whom some are asked about.
        persons: int64, whom questions are about.
        seed: of the pairs that are compared.
    """
    names, dates = language.name_ids(people)[persons], language.value_ids(people)[persons, 0]
    if training == "parity":
        parity = _yes_or_no(language, people.month[persons] % 2 == 1)  # month 0 is January, the first
        return [
            _task(language, "parity", "parity?", names, parity),
            _task(language, "parity_with_hint", "month-then-parity?", names, np.hstack([dates[:, :1], parity])),
        ]
    if training == "comparison":
        first, second = _pairs(people, persons, seed)
        both = np.hstack([language.name_ids(people)[first], language.name_ids(people)[second]])
        is_later = _yes_or_no(language, people.month[first] > people.month[second])
        return [_task(language, "comparison", "later-month?", both, is_later)]
    if training == "year":
        return [_task(language, "year", "year?", names, dates[:, 2:])]
    values = language.value_ids(people)[persons].reshape(len(persons), -1)
    given = values[values >= 0].reshape(len(persons), -1)
    return [_task(language, "inverse", "who?", given, names[:, :1])]


def pool_of(tasks: Sequence[Task]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all tasks with <eos> after the answer, filled up with padding, and where their answers are."""
    width = max(task.prompts.shape[1] + task.answers.shape[1] + 1 for task in tasks)
    tokens, is_answer = [], []
    for task in tasks:
        rows = np.pad(np.hstack([task.prompts, task.answers]), ((0, 0), (0, 1)), constant_values=END_ID)
        tokens.append(np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=PADDING_ID))
        place = np.arange(width) - task.prompts.shape[1]
        is_answer.append(np.tile((place >= 0) & (place < task.answers.shape[1]), (len(rows), 1)))
    return np.concatenate(tokens), np.concatenate(is_answer)


def _task(language: Language, name: str, question: str, about: np.ndarray, answers: np.ndarray) -> Task:
    words = language.vocabulary.ids([END, question, ANSWER])
    first, last = np.tile(words[:2], (len(about), 1)), np.tile(words[2:], (len(about), 1))
    return Task(name, np.hstack([first, about, last]), answers)


def _yes_or_no(language: Language, is_so: np.ndarray) -> np.ndarray:
    yes, no = language.vocabulary.ids(language.pools.pronouns)
    return np.where(is_so, yes, no)[:, None]


def _pairs(people: People, persons: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of people with different months."""
    draws = generator(seed, "pairs", str(len(persons)), str(int(persons[0])))
    first, second = persons[draws.integers(0, len(persons), (2, _PAIRS_PER_PERSON * len(persons)))]
    differ = people.month[first] != people.month[second]
    return first[differ], second[differ]
