"""English problems as tokens: a word, "'s", a number, a letter or a mark each."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain

import numpy as np

from internal_physics.lab.data.reasoning.problem import Solution
from internal_physics.lab.data.reasoning.retry import wrong_name_mask
from internal_physics.lab.data.reasoning.worlds import worlds
from internal_physics.lab.data.reasoning.write import BACK, LETTERS, Written
from internal_physics.lab.data.vocabulary import Vocabulary

_TOKEN = re.compile(r"'s|[A-Za-z]+|\d+|[^\sA-Za-z\d]")
PROBE_START, PROBE_MIDDLE, PROBE_END = "[START]", "[MID]", "[END]"
"""Marks around the names that a probe asks about; no text has them."""
_NO_BLANK_BEFORE = re.compile(r" ('s|[.,;:?])")
_WORDS = (
    "The number of each equals more than times as much the sum difference and How many does have Define so Answer 's "
    ". , ; : ? = + - *"
)


@cache
def english_vocabulary(modulus: int) -> Vocabulary:
    """All words of problems and solutions with numbers 0..modulus - 1, and the marks of probes."""
    layers = [layer for world in worlds() for layer in world.layers]
    items = chain.from_iterable(item.split() for layer in layers for kind in layer.items for item in kind)
    names = [*items, *(layer.category for layer in layers)]
    numbers = map(str, range(modulus))
    words = [*_WORDS.split(), BACK, *numbers, *LETTERS, *sorted(set(names)), PROBE_START, PROBE_MIDDLE, PROBE_END]
    return Vocabulary.of(dict.fromkeys(words))


def words_of(text: str) -> list[str]:
    """The tokens of a text as words."""
    return _TOKEN.findall(text)


def text_of(words: Sequence[str]) -> str:
    """The text of words; the opposite of `words_of`."""
    return _NO_BLANK_BEFORE.sub(r"\1", " ".join(words))


def taken_back(written: Written, solution: Solution) -> np.ndarray:
    """[tokens of the solution's text] bool: whether a token is in the name of a parameter that is then taken back."""
    starts = np.array([found.start() for found in _TOKEN.finditer(written.solution)])
    names = [(int(np.searchsorted(starts, a)), int(np.searchsorted(starts, b))) for a, b in written.name_spans]
    return wrong_name_mask(solution, names, len(starts))
