"""Atomic writes: a file or folder is either complete or absent, whatever happens to the job that writes it.

The content is written under a temporary name in the same folder, then renamed. The name contains host and process:
if a restarted workflow runs a job twice at once, the two do not write to the same file; the last to finish wins, and
both wrote the same. The next process that writes to the folder removes what a killed process left behind.
A rename is not flushed to the disk: a power failure ends the running jobs anyway, and they are repeated.
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
        StoreError: if the disk refuses (full, read-only), naming the file; a previous file at `path` is kept.
    """
    with _temporary_beside(Path(path)) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new temporary folder; renamed to `path` on success (replacing what was there), removed on failure.

    Raises:
        StoreError: as for a file.
    """
    with _temporary_beside(Path(path)) as temporary:
        temporary.mkdir()
        yield temporary
        _remove(Path(path))
        temporary.rename(path)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, atomically."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class HashedFile(io.RawIOBase):
    """Writes to an open file and hashes what it writes, so that the file need not be read back for its checksum.

    Args:
        file: open for writing in bytes; closing this object leaves it open.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any, /) -> int:
        """Write and hash bytes or a bytes-like object; return the number of bytes written."""
        self._hash.update(data)
        return self._file.write(data)

    @property
    def sha256(self) -> str:
        """SHA-256 of everything written so far, in hexadecimal."""
        return self._hash.hexdigest()


@contextlib.contextmanager
def _temporary_beside(path: Path) -> Iterator[Path]:
    """An unused path; whatever is created there and not renamed is removed."""
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
    """Remove temporary files of ended processes from a folder; once per process, since listing a folder takes time."""
    for path in folder.glob(f".*@*@*{ENDING}"):
        with contextlib.suppress(OSError, ValueError):  # another process may remove it first; the name may not be ours
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
