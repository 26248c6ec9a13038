"""Tables and text in Markdown."""

import re
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table that ends with a line break; vertical bars in cells are escaped, line breaks become blanks.

    Raises:
        ValueError: for a row that is longer or shorter than the head.
    """
    lines = [list(head), ["---"] * len(head)]
    for row in rows:
        if len(row) != len(head):
            raise ValueError(f"a row of {len(row)} cells under a head of {len(head)}: {row}")
        lines.append([cell(value) for value in row])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: Any) -> str:
    """Text of one cell."""
    return " ".join(str("" if value is None else value).split()).replace("|", "\\|")


def code(text: str) -> str:
    """In the font of code."""
    return f"`{text}`"


def codes(texts: Iterable[str]) -> str:
    """A list of names in the font of code."""
    return ", ".join(map(code, texts))


def literal(text: str) -> str:
    """Text that Markdown shows as it is: characters that it would read as markup are escaped."""
    return re.sub(r"([\\`*_<\[])", r"\\\1", text)
