"""A causal prompt's answer → the tokens with which the text would go on.

The rule: the answer follows the text after one space if words are separated by spaces, otherwise directly. The tokens
are what the tokenizer adds when it reads text and answer together.
"""

import unicodedata
from collections.abc import Callable, Sequence

_WRITTEN_TOGETHER = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")  # scripts without spaces
_OPENING = ("Ps", "Pi", "Pd", "Sc")  # brackets, opening quotes, dashes, currencies
_QUOTES = "\"'`*_"  # these open a pair only after white space
_SLASHES = "/\\#@"


def space_between(text: str, answer: str) -> str:
    """What belongs between a text and its answer: one space, or nothing.

    Nothing if either side has white space there, if the answer starts with a mark and no letter or digit, if the text
    ends with an opening bracket, an opening quote, a dash, a slash, a currency or a mathematical sign, or if either
    side is of a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese). A mathematical sign with a space
    before it has one after it too: "2 + 2 =". Nothing if one of the two is empty.
    """
    if not text or not answer:
        return ""
    last, first = text[-1], answer[0]
    if not first.isalnum() or last.isspace() or any(_is_written_together(c) for c in (last, first)):
        return ""
    follows_space = text[-2:-1].isspace() or len(text) == 1
    if unicodedata.category(last) == "Sm":
        return " " if follows_space else ""
    opens = unicodedata.category(last) in _OPENING or last in _SLASHES or (last in _QUOTES and follows_space)
    return "" if opens else " "


def tokens_after(text: str, answer: str, ids_of: Callable[[str], Sequence[int]]) -> tuple[int, ...]:
    """Token ids of the answer as it would follow the text.

    Where the tokenizer merges the end of the text with the beginning of the answer, so that the text's own tokens do
    not come first, they are the tokens of the answer read alone, with its space.

    Args:
        text: the prompt, with all that a chat template puts around it.
        answer: not empty.
        ids_of: token ids of a text, without special tokens around it.
    """
    continued = space_between(text, answer) + answer
    own, together = list(ids_of(text)), list(ids_of(text + continued))
    if together[: len(own)] == own and len(together) > len(own):
        return tuple(together[len(own) :])
    return tuple(ids_of(continued))


def _is_written_together(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_WRITTEN_TOGETHER)
