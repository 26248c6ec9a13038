"""What costs minutes to make is made once in a test run, by the worker that needs it first."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that all workers of a test run share; the others wait while one of them makes it.

    Args:
        factory: pytest's `tmp_path_factory`.
        name: the folder's name, of its own.
        make: fills the folder, which is there and empty. If it raises, the next worker tries again elsewhere.
    """
    of_worker = factory.getbasetemp()
    shared = of_worker.parent if "PYTEST_XDIST_WORKER" in os.environ else of_worker
    pointer = shared / f"{name}.made"
    with FileLock(shared / f"{name}.lock"):
        if not pointer.exists():
            folder = factory.mktemp(name)
            make(folder)
            pointer.write_text(str(folder))
    return Path(pointer.read_text())
