"""The kernel between questions about people and their texts: does what a text teaches reach the question?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from internal_physics.families.kernel.parts import cosine_kernel
from internal_physics.lab.data.biographies import N_SENTENCES
from internal_physics.lab.data.biography_batches import all_questions
from internal_physics.lab.data.symbolic import PROMPT_TOKENS
from internal_physics.lab.data.vocabulary import END_ID
from internal_physics.lab.experiments.experiment import Trained
from internal_physics.lab.experiments.knowledge.data import Taught, taught
from internal_physics.lab.kernels.study import Number, Scalar, Study
from internal_physics.lab.kernels.tables import MARGIN, OTHER, SAME
from internal_physics.lab.models.masked import is_masked

MOST_PEOPLE = 12


def study(trained: Trained) -> Study | None:
    """The first word of each value of some people, once after a question, once in a text; None for a masked model."""
    if is_masked(trained.snapshots[trained.last_step]):
        return None
    given = taught(trained.data, trained.seed)
    persons = given.tested[:MOST_PEOPLE]
    data = trained.data
    per_step = data.texts_per_row * data.rows / len(given.people)
    return Study([*_asked(given, persons), *_told(given, persons)], _cosines, per_step)


def _asked(given: Taught, persons: np.ndarray) -> list[Scalar]:
    """[person × attribute] the answer's first word after the question."""
    rows = all_questions(given.language, given.people, persons).tokens
    return [Scalar(row[:PROMPT_TOKENS], int(row[PROMPT_TOKENS])) for row in rows]


def _told(given: Taught, persons: np.ndarray) -> list[Scalar]:
    """[person × attribute] the same word in the person's first text."""
    found = []
    for person in persons:
        (row,) = np.flatnonzero((given.plans.person == person) & (given.plans.text == 0))
        tokens, attribute = given.rows.tokens[row], given.rows.attribute[row]
        for number in range(N_SENTENCES):
            place = int(np.argmax(attribute == number))
            found.append(Scalar(np.insert(tokens[:place], 0, END_ID), int(tokens[place])))
    return found


def _cosines(kernel: NDArray[np.float64]) -> Iterator[Number]:
    """Of question and text about one attribute: of one person, and of two."""
    half = len(kernel) // 2
    between = cosine_kernel(kernel)[:half, half:].reshape(-1, N_SENTENCES, half // N_SENTENCES, N_SENTENCES)
    by_attribute = np.diagonal(between, axis1=1, axis2=3)  # [asked, told, attribute]
    is_same = np.eye(len(by_attribute), dtype=bool)
    same = float(by_attribute[is_same].mean())
    other = float(by_attribute[~is_same].mean()) if len(is_same) > 1 else float("nan")
    yield Number(SAME, "all", same)
    yield Number(OTHER, "all", other)
    yield Number(MARGIN, "all", same - other)
