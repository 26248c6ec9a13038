"""Where the files of a model source lie, downloaded if need be."""

import os
from pathlib import Path

from internal_physics.ground.errors import SourceError
from internal_physics.ground.text_files import explain_os_error
from internal_physics.models.sources import LAST, Source


def located(source: Source) -> Path | None:
    """The file or folder of a source; None for a package.

    Raises:
        SourceError: missing, unreachable, gated, not trained, or not to be read.
    """
    if source.kind == "pypi":
        return None
    if source.kind == "lab":
        return _trained(source)
    return _download(source) if source.kind == "hf" else _local(source)


def _trained(source: Source) -> Path:
    """The snapshot of a training of the lab."""
    folder = Path(source.training)
    steps = sorted((path.name for path in folder.glob("*") if path.name.isdigit()), key=int)
    wanted = steps[-1] if steps and source.revision == LAST else source.revision
    if wanted in steps:
        return folder / wanted
    raise SourceError(
        f"there is no snapshot after step {wanted}" if steps else "it is not trained",
        where=source.text,
        expected=f"one of {', '.join(steps)}" if steps else f"snapshots in {folder}",
        todo="name the step in `training → snapshots` of the arm, and run the target lab",
    )


def _local(source: Source) -> Path:
    """The path of a source; it exists and can be read."""
    path = Path(source.name).expanduser()
    where = f"path:{source.name}"
    try:
        (os.listdir if os.path.isdir(path) else os.stat)(path)
    except FileNotFoundError as error:
        todo = "check the path in the model's `source`"
        raise SourceError("there is no such file or folder", where=where, todo=todo) from error
    except (OSError, ValueError) as error:
        what = explain_os_error(error) if isinstance(error, OSError) else str(error)
        raise SourceError(what, where=where, todo="check the path in the model's `source`") from error
    return path


def _download(source: Source) -> Path:
    from internal_physics.models.hub import download  # noqa: PLC0415  (only hub sources need it)

    return download(source)


def is_gguf(path: Path) -> bool:
    """Whether a file is a GGUF file by its name."""
    return path.suffix.lower() == ".gguf"
