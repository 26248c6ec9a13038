"""The words of a lab language: one token is one word, and a word's id is its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from internal_physics.ground.errors import ConfigError

END = "<eos>"
"""Ends a text, and begins a row."""
PADDING = "<pad>"
"""Fills a row that is shorter than its batch; it has no loss."""
END_ID = 0
PADDING_ID = 1
SPECIAL_WORDS = (END, PADDING)


@dataclass(frozen=True)
class Vocabulary:
    """A tuple of distinct words without white space; the id of a word is its index.

    Attributes:
        all_words: `<eos>` (id 0), `<pad>` (id 1), then the words of the language.
    """

    all_words: tuple[str, ...]

    def __post_init__(self) -> None:
        problem = _problem(self.all_words)
        if problem:
            raise ConfigError(problem, where="vocabulary", expected="distinct words without white space")

    @classmethod
    def of(cls, words: Iterable[str]) -> "Vocabulary":
        """The vocabulary of a language: the two special words, then `words` in their order."""
        return cls((*SPECIAL_WORDS, *words))

    def __len__(self) -> int:
        return len(self.all_words)

    def ids(self, words: Sequence[str]) -> np.ndarray:
        """[words] int64 ids. A word that is not in the vocabulary is a ConfigError."""
        try:
            return np.array([self._id_of[word] for word in words], dtype=np.int64)
        except KeyError as error:
            raise ConfigError(
                f"{error.args[0]!r} is not in the vocabulary", where="vocabulary", expected=f"one of {len(self)} words"
            ) from None

    def words(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """The words of the ids, in their order. An id outside of 0..len - 1 is a ConfigError."""
        for token in ids:
            if not 0 <= token < len(self):
                raise ConfigError(
                    f"id {token} is not in the vocabulary", where="vocabulary", expected=f"0..{len(self) - 1}"
                )
        return [self.all_words[int(token)] for token in ids]

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.all_words)}


def _problem(words: tuple[str, ...]) -> str:
    """What is wrong with the words of a vocabulary, or nothing."""
    if words[: len(SPECIAL_WORDS)] != SPECIAL_WORDS:
        return f"it begins with {list(words[:2])}, not with {list(SPECIAL_WORDS)}"
    if len(set(words)) < len(words):
        seen: set[str] = set()
        twice = next(word for word in words if word in seen or seen.add(word))  # type: ignore[func-returns-value]
        return f"{twice!r} is there twice"
    split = [word for word in words if word.split() != [word]]
    return f"{split[0]!r} is not one word" if split else ""
