"""Code that pages show: files of docs/example_family, in sections between two comments.

# >>> table
tables={DRIFT_TURNS: ASKED},
# <<< table
"""

import re
import textwrap
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

_MARK = re.compile(r"\s*# (?P<side>>>>|<<<) (?P<section>\w+)\s*")
_LANGUAGES = {".py": "python", ".yaml": "yaml"}


def without_sections(text: str, left_out: Collection[str] = ()) -> str:
    """The text without the marks, and without the sections in `left_out`.

    Raises:
        ValueError: for a mark that is closed but not opened, or the other way round.
    """
    return "".join(line for section, line in _lines(text) if section not in left_out)


def only_section(text: str, wanted: str) -> str:
    """The lines of one section, all its parts one below the other, dedented.

    Raises:
        ValueError: if there is no such section.
    """
    parts: list[str] = []
    last = None
    for section, line in _lines(text):
        if section == wanted:
            parts = [*parts, line] if last != wanted or not parts else [*parts[:-1], parts[-1] + line]
        last = section
    if not parts:
        raise ValueError(f"there is no section {wanted!r}")
    return "".join(textwrap.dedent(part) for part in parts)


def makers(root: Path) -> dict[str, Callable[..., str]]:
    """The maker of blocks of code; it takes a file and, for a part of it, a section, or "-section" to leave one out."""
    return {"code": partial(_block, root)}


def _block(root: Path, name: str, *sections: str) -> str:
    text = (root / name).read_text(encoding="utf-8")
    left_out = [section[1:] for section in sections if section.startswith("-")]
    shown = [only_section(text, section) for section in sections if not section.startswith("-")]
    code = "".join(shown) or without_sections(text, left_out)
    return f"```{_LANGUAGES[Path(name).suffix]}\n{code.strip()}\n```\n"


def _lines(text: str) -> list[tuple[str, str]]:
    """(section, line) of every line but the marks; "" outside sections."""
    found, here = [], ""
    for line in text.splitlines(keepends=True):
        mark = _MARK.fullmatch(line)
        if mark is None:
            found.append((here, line))
        elif (mark["side"] == ">>>") == bool(here) or (here and here != mark["section"]):
            raise ValueError(f"the mark {line.strip()!r} does not fit; open is {here or 'no section'!r}")
        else:
            here = mark["section"] if mark["side"] == ">>>" else ""
    if here:
        raise ValueError(f"section {here!r} is not closed")
    return found
