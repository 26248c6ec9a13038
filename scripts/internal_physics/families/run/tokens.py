"""Tokens in readable form, from the files of a tokenizer alone: no tokenizer library is needed to read a table."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

BETWEEN = "|"
_WORD_START = "▁"  # how SentencePiece writes the space before a word


@dataclass(frozen=True)
class Spelling:
    """How a tokenizer spells its tokens.

    Attributes:
        special: the tokens that do not stand for text.
        is_byte_level: whether each character of the other tokens stands for one byte of UTF-8.
    """

    special: frozenset[str] = frozenset()
    is_byte_level: bool = False


def read_spelling(snapshot: str | Path) -> Spelling:
    """The spelling of a snapshot's tokenizer, as far as its JSON files describe it."""
    whole, config, named = (
        _read_json(Path(snapshot) / f"{name}.json") for name in ("tokenizer", "tokenizer_config", "special_tokens_map")
    )
    added = [*whole.get("added_tokens", []), *config.get("added_tokens_decoder", {}).values()]
    special = {token["content"] for token in added if token.get("special")}
    special |= {_text(value) for name, value in {**config, **named}.items() if name.endswith("_token")} - {""}
    return Spelling(frozenset(special), "ByteLevel" in _decoders(whole.get("decoder")))


def readable(tokens: Sequence[str], spelling: Spelling, special: Collection[int] | None = None) -> str:
    """The tokens in one line: `|` between them, special ones in ⟨⟩.

    A token that holds part of a character shows the replacement sign; what cannot be printed is escaped as in Python.

    Args:
        tokens: as the tokenizer spells them.
        spelling: see `read_spelling`.
        special: positions of the special tokens; if not given, the tokens that the tokenizer's files name.
    """
    if special is None:
        special = [position for position, token in enumerate(tokens) if token in spelling.special]
    shown = [f"⟨{t}⟩" if position in special else _readable(t, spelling) for position, t in enumerate(tokens)]
    return BETWEEN.join(shown)


def _readable(token: str, spelling: Spelling) -> str:
    text = _from_bytes(token) if spelling.is_byte_level else token.replace(_WORD_START, " ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _from_bytes(token: str) -> str:
    """Text of a byte-level token; an added token is its own text."""
    byte_of = _byte_of_character()
    if not set(token) <= set(byte_of):
        return token
    return bytes(byte_of[c] for c in token).decode("utf-8", errors="replace")


@cache
def _byte_of_character() -> dict[str, int]:
    """Character → the byte that it stands for: printable Latin-1 for itself, 256, 257, … for the others in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


def _decoders(decoder: Mapping[str, Any] | None) -> Iterator[str]:
    """Types of a decoder and of all decoders in it."""
    if decoder:
        yield decoder.get("type", "")
        for inner in decoder.get("decoders", []):
            yield from _decoders(inner)


def _text(value: Any) -> str:
    """The token of an entry such as bos_token, which is a text or a mapping; "" for a switch such as add_bos_token."""
    text = value.get("content") if isinstance(value, Mapping) else value
    return text if isinstance(text, str) else ""


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
