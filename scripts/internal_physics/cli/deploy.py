"""The workflow as files in a folder: what `internal-physics run` needs where there is no clone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from internal_physics.ground.errors import StoreError
from internal_physics.ground.home import PACKAGE, PACKAGED, home

SNAKEFILE = "Snakefile"
LIBRARY = Path("scripts", "internal_physics")
TOP = ("config.yaml", "requirements.lock", SNAKEFILE)
FOLDERS = ("config", "envs", "profiles", "report", "resources", "rules")


def deploy(folder: str | Path) -> int:
    """Copy the workflow and its library into a folder. Files that are there stay as they are.

    The folder then is as a clone without tests and documentation: it can be edited, archived, and run with Snakemake.

    Returns:
        How many files were written.

    Raises:
        StoreError: if the folder cannot be written.
    """
    n_written = 0
    try:
        for path, to in missing(folder):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            n_written += 1
    except OSError as error:
        raise StoreError(f"cannot be written ({error})", where=str(folder), todo="choose another folder") from error
    return n_written


def missing(folder: str | Path) -> list[tuple[Path, Path]]:
    """Files of the workflow that a folder, which need not exist, does not have: each, and where it would go."""
    return [(path, to) for path, to in _pairs(Path(folder)) if not to.exists()]


def before_deployment(folder: str | Path, name: str) -> Path:
    """Where a file that a folder has with its workflow is now: in the folder, or where the workflow comes from.

    Args:
        folder: need not exist.
        name: path from there; the file need not exist.
    """
    wanted = Path(os.path.normpath(Path(folder) / name))
    return {Path(os.path.normpath(to)): path for path, to in missing(folder)}.get(wanted, wanted)


def is_deployed(folder: str | Path) -> bool:
    """Whether a folder has a workflow to run."""
    return (Path(folder) / SNAKEFILE).is_file()


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Every file of the workflow, and where it goes. The Snakefile is last: a copy that breaks off is repeated."""
    top = home()
    for name in FOLDERS:
        yield from ((path, folder / path.relative_to(top)) for path in _files(top / name))
    yield from ((path, folder / path.relative_to(top)) for path in sorted((top / "scripts").glob("*.py")))
    yield from ((path, folder / LIBRARY / path.relative_to(PACKAGE)) for path in _files(PACKAGE))
    yield from ((top / name, folder / name) for name in TOP)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in ("__pycache__", PACKAGED):
            yield from _files(path)
        elif path.is_file():
            yield path
