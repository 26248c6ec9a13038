"""Listings of records: which files a record job wrote, each with its checksum. Later rules depend on these.

If every metric named every record as input, each start of the workflow would look up prompts × metrics files; a
listing represents all records of a job. It has the format of `sha256sum`, which can verify it. Because it contains
checksums, it changes exactly when a record does.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from internal_physics.ground.errors import StoreError
from internal_physics.ground.files import write_text

_DIGEST = 64  # characters
_LINE = re.compile(rf"[0-9a-f]{{{_DIGEST}}}  \S.*")


def write_listing(records: Iterable[tuple[str | Path, str]], path: str | Path) -> None:
    """Write one line per record, in order: its sha256, two spaces, its path as it is given.

    Args:
        records: path and sha256 of each, as `write_trace` gave it.
        path: of the listing.

    Raises:
        StoreError: if it cannot be written.
    """
    write_text(path, "".join(f"{digest}  {record}\n" for record, digest in records))


def listed(*listings: str | Path) -> list[str]:
    """Paths of the records that listings name, in order.

    Raises:
        StoreError: naming a file that is missing or is not a listing.
    """
    return [record for path in listings for record in _read(path)]


def _read(path: str | Path) -> list[str]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot be read ({error})", where=str(path), todo="run the `record` rule first") from error
    if not all(_LINE.fullmatch(line) for line in lines):
        raise StoreError(
            "this is not a listing of records",
            where=str(path),
            expected="lines of sha256sum",
            todo="delete it; the next run creates it again",
        )
    return [line[_DIGEST + 2 :] for line in lines]
