"""The user's text files: read completely, or refused with file, line and what to do."""

import errno
from pathlib import Path

from internal_physics.ground.errors import ConfigError, UserError

_BINARY = {
    b"PK\x03\x04": "a zip archive (an .xlsx or .ods spreadsheet is one)",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
}
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # byte-order marks of UTF-16 and UTF-32


def read_text(path: str | Path, *, where: str = "", error: type[UserError] = ConfigError) -> str:
    """Read a UTF-8 text file; a byte-order mark, as spreadsheets write it, is skipped. Line ends are kept.

    Args:
        path: of the file.
        where: named in messages; the path where it is empty.
        error: kind of error to raise.

    Raises:
        UserError: of the kind `error`, for a path that is missing, not a file, not readable or not UTF-8 text.
    """
    place = where or str(path)
    content = _read_bytes(Path(path), place, error)
    if content.startswith(_WIDE):
        raise error("its text is UTF-16", where=place, expected="UTF-8 text", todo="save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise error(f"not UTF-8 text: {problem} in line {line}", where=place, todo="save it as UTF-8") from problem
    if (position := text.find("\0")) >= 0:
        line = text.count("\n", 0, position) + 1
        raise error(f"a NUL character in line {line}", where=place, expected="text", todo="export the file again")
    return text


def explain_os_error(problem: OSError) -> str:
    """An operating-system error in a few words, without the path."""
    words = {
        errno.ENOENT: "there is no such file",
        errno.ENOTDIR: "there is no such file",
        errno.EISDIR: "it is a folder, not a file",
        errno.EACCES: "no permission to read it",
        errno.EPERM: "no permission to read it",
        errno.ELOOP: "its symbolic links lead in a circle",
        errno.ENAMETOOLONG: "the name is too long",
    }
    return words.get(problem.errno or 0, f"it cannot be read ({problem.strerror or problem})")


def _read_bytes(path: Path, place: str, error: type[UserError]) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise error(explain_os_error(problem), where=place, todo=_todo(problem)) from problem
    except ValueError as problem:  # a NUL in the path
        raise error(f"it is not a valid path: {problem}", where=place) from problem
    for start, kind in _BINARY.items():
        if content.startswith(start):
            raise error(f"it is {kind}, not text", where=place, expected="UTF-8 text", todo="export it as UTF-8 text")
    return content


def _todo(problem: OSError) -> str:
    if problem.errno in (errno.EACCES, errno.EPERM):
        return "change its permissions, or those of the folders above it"
    return "check the path; it is relative to the working directory"
