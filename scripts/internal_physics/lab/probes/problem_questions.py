"""Questions about the parameters of a problem, in symbols or in English: what is asked, and how answers are judged.

Rules answer, too, from single sentences, and say how much needs no model. No torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from internal_physics.lab.data.reasoning.problem import Problem

NEEDED, CAN_BE_NEXT, NEEDED_NEXT = "needed", "can_be_next", "needed_next"
DEPENDS, KNOWN, VALUE = "depends", "known", "value"
TASKS = {
    NEEDED: "at the end of the question: whether the query depends on a parameter (nece)",
    CAN_BE_NEXT: "after some steps of a right solution: whether a parameter can be computed now (can_next)",
    NEEDED_NEXT: "the same, and whether the query depends on it, too (nece_next)",
    DEPENDS: "before the question: whether a parameter depends on another, directly or through others (dep)",
    KNOWN: "after some steps, at least one: whether a parameter was computed (known)",
    VALUE: "likewise: its value, or that it has none yet (value)",
}


@dataclass(frozen=True)
class Item:
    """A question about a parameter.

    Attributes:
        problem: whose.
        tokens: all that the model is given.
        parameter: that is asked about.
        answer: the right one: 0 for no and 1 for yes; of `value` the value, or the modulus where it has none yet.
        other: what the parameter may depend on; -1 except in `depends`.
        written: tokens of the steps so far.
    """

    problem: Problem
    tokens: list[int]
    parameter: int
    answer: int
    other: int = -1
    written: tuple[int, ...] = ()


def balanced_accuracy(told: np.ndarray, right: np.ndarray, n: int = 2) -> float:
    """Mean over the n answers of the accuracy on questions with that answer; 1 / n for a guess.

    NaN without a question for one of the answers.
    """
    shares = [np.mean(told[right == answer] == answer) if (right == answer).any() else np.nan for answer in range(n)]
    return float(np.mean(shares))


def largest_share(right: np.ndarray) -> float:
    """Share of the answer that is right most often, of at least one: what telling it always gets."""
    return float(np.bincount(right).max() / right.size)


def _is_used(item: Item) -> bool:
    return any(item.parameter in needs for needs in item.problem.dependencies)


def _has_only_numbers(item: Item) -> bool:
    return not item.problem.dependencies[item.parameter]


SENTENCE_RULES: Mapping[str, Mapping[str, Callable[[Item], int]]] = {
    NEEDED: {
        "used_somewhere": _is_used,
        "operand_of_query": lambda item: item.parameter in item.problem.dependencies[item.problem.query],
    },
    CAN_BE_NEXT: {"only_numbers": _has_only_numbers},
    NEEDED_NEXT: {
        "only_numbers": _has_only_numbers,
        "numbers_and_used": lambda item: _has_only_numbers(item) and _is_used(item),
    },
    DEPENDS: {
        "in_its_sentence": lambda item: item.other in item.problem.dependencies[item.parameter],
        "only_numbers": lambda item: not _has_only_numbers(item),
    },
}
"""What single sentences tell, without a chain of two; what has only numbers depends on nothing."""
