"""Kinds of files that a user gives or the workflow keeps: how each is made, damaged and read for the fuzz test."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from damage import bytes_damaged
from hypothesis import strategies as st
from internal_physics.ground.errors import UserError

RESULT, REFUSED = "result", "refused"


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        name: of the kind.
        make: puts the undamaged file and all that belongs to it into a folder, and returns the file's path.
        read: reads the file as the product does, all of it, and checks the result against the damaged file itself.
        meaning: content → strategy of contents damaged by meaning; None where there is no such form.
        within: content → range of the positions at which bytes are damaged; None for all.
        named: what an error may name beside the path of the file.
        n_examples: in the test; reading some kinds takes longer.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    meaning: Callable[[bytes], st.SearchStrategy[bytes]] | None
    within: Callable[[bytes], tuple[int, int]] | None = None
    named: tuple[str, ...] = ()
    n_examples: int = 40


def outcome(kind: Kind, path: Path, damaged: bytes) -> str:
    """Write the damaged content to `path` and read it: a result, or a UserError that names the file.

    Any other exception is not caught, nor is an AssertionError of `read`, which means a wrong result.
    """
    path.write_bytes(damaged)
    refusal = _refusal(kind, path)
    names = (str(path), str(path.parent), path.name, *kind.named)
    assert not refusal or any(name in refusal for name in names), f"it names no file: {refusal}"
    return REFUSED if refusal else RESULT


def _refusal(kind: Kind, path: Path) -> str:
    try:
        kind.read(path)
    except UserError as error:
        return str(error)
    return ""


@cache
def strategy(kind: Kind, content: bytes) -> st.SearchStrategy[bytes]:
    """Damage by bytes and, where the kind has a meaning, by that."""
    by_bytes = bytes_damaged(content, kind.within and kind.within(content))
    return by_bytes if kind.meaning is None else st.one_of(by_bytes, kind.meaning(content))
