"""Options of how a text becomes tokens. No heavy imports."""

from dataclasses import dataclass
from typing import Literal

SpecialTokens = Literal["tokenizer", "none", "explicit"]


@dataclass(frozen=True)
class TextOptions:
    """How the text of a prompt becomes the tokens that run.

    Attributes:
        special_tokens: which special tokens run with a text.
            - tokenizer: those that the tokenizer puts before a text, and for a masked model also those after it. Tokens
              that it appends to a causal model's text are left out, because the prediction is read where the text ends.
            - none: none; text that looks like a special token is read as text. A masked model's [MASK] stays.
            - explicit: only those that the text itself contains.
        chat_template: put the text into the chat template of the tokenizer, as the message of a user, with the
            beginning of the answer after it; the prediction is read there. The template adds the special tokens. If it
            writes today's date, that is always 26 July 2024.
    """

    special_tokens: SpecialTokens = "tokenizer"
    chat_template: bool = False
