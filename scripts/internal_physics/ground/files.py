"""Files and folders that are there whole or not at all, whatever happens to the job that writes them.

They are made under a temporary name beside their place and renamed. The name holds host and process: two copies of a
job, which a workflow started again after a kill can bring about, do not write into one another's file; the one that is
ready last wins, and both wrote the same. What a killed process left behind is removed by the next that writes there.
A rename is not flushed to the disk: a machine that loses power loses its running jobs anyway, and they are repeated.
"""

import contextlib
import hashlib
import io
import os
import shutil
import socket
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Any

from internal_physics.ground.errors import StoreError

ENDING = ".tmp"
ABANDONED_AFTER_S = (
    2 * 24 * 3600
)  # of another host's, whose processes cannot be asked; no job writes a file for so long


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path to write to; renamed to `path` on success, removed on failure.

    Raises:
        StoreError: if the disk refuses (full, read-only), naming the file; what was at `path` before is still there.
    """
    with _temporary_beside(Path(path)) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new temporary folder; renamed to `path` on success, in place of what was there, removed on failure.

    Raises:
        StoreError: as for a file.
    """
    with _temporary_beside(Path(path)) as temporary:
        temporary.mkdir()
        yield temporary
        _remove(Path(path))
        temporary.rename(path)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class HashedFile(io.RawIOBase):
    """Writes to an open file and hashes what it writes, so that nobody has to read the file back for its checksum.

    Args:
        file: open for writing in bytes; closing this object leaves it open.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any, /) -> int:
        """Write bytes, or what has a buffer of them, and hash them; how many were written."""
        self._hash.update(data)
        return self._file.write(data)

    @property
    def sha256(self) -> str:
        """Of all that was written so far, in hexadecimal."""
        return self._hash.hexdigest()


@contextlib.contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """A path where nothing is; what is made there and not renamed is removed."""
    temporary = path.with_name(f".{path.name}@{socket.gethostname()}@{os.getpid()}{ENDING}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        _remove(temporary)
        yield temporary
    except OSError as error:
        raise StoreError(
            f"cannot be written ({error})",
            where=str(path),
            todo="free some space or check permissions, then run again",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            _remove(temporary)


@cache
def _remove_abandoned(folder: Path) -> None:
    """Remove what processes that are no more left in a folder; once per process, since listing a folder takes time."""
    for path in folder.glob(f".*@*@*{ENDING}"):
        with contextlib.suppress(OSError, ValueError):  # another process may be as quick; a name may not be ours
            _, host, process = path.name.removesuffix(ENDING).rsplit("@", 2)
            here = host == socket.gethostname()
            if not _runs(int(process)) if here else path.stat().st_mtime < time.time() - ABANDONED_AFTER_S:
                _remove(path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
