"""Snapshots: a folder with config, tokenizer and safetensors, and a manifest that says what they are.

The manifest holds no time stamp, so that equal sources give equal snapshots. Sizes are checked at every use. So are
checksums, except those of files whose size and date have not changed since they were last verified: computing them
would read gigabytes in every job. Those sizes and dates are kept beside the folder, in `.{snapshot}.verified.json`.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import SourceError, StoreError
from internal_physics.ground.files import write_text
from internal_physics.models.checkpoint import stored_tensors
from internal_physics.models.safetensors_header import number_formats
from internal_physics.models.sources import Source
from internal_physics.models.stored_quantization import StoredQuantization, stored_quantization

MANIFEST = "snapshot.json"
_CHUNK = 1 << 22
_FETCH_AGAIN = "delete the folder and fetch again"


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds.

    Attributes:
        source: as parsed from the config.
        revision: resolved: package version, commit hash, or sha256 of the source file.
        files: size in bytes and sha256 of every file.
        quantization: how the weights are quantised, see `StoredQuantization`; None where they are not.
        stored_as: number formats of the weights in the source's files, where the snapshot has others: "Q4_1, F32" of a
            GGUF file, which is de-quantised when it is fetched.
        adapter: the adapter that was merged into the weights, and its base, in words; "" for none.
    """

    source: dict[str, Any]
    revision: str
    files: dict[str, dict[str, Any]]
    quantization: dict[str, Any] | None = None
    stored_as: str = ""
    adapter: str = ""

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights on disk."""
        return sum(entry["bytes"] for name, entry in self.files.items() if name.endswith(".safetensors"))


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_manifest(
    folder: Path, source: Source, revision: str = "", stored_as: str = "", adapter: str = ""
) -> Manifest:
    """Describe every file of a finished snapshot folder, and write it down there.

    Raises:
        SourceError: as `describe`.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST]
    manifest = replace(describe(folder, files, source, revision, stored_as), adapter=adapter)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")
    return manifest


def describe(folder: Path, files: Iterable[Path], source: Source, revision: str = "", stored_as: str = "") -> Manifest:
    """The manifest of a folder's files; the revision is the checksum of its first weights where none is given.

    Raises:
        SourceError: if there is no config or no safetensors weights among them.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    _require(names, "config.json", source)
    _require(names, ".safetensors", source)
    entries = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names}
    quantization = stored_quantization(folder)
    return Manifest(
        asdict(source),
        revision or _revision(entries),
        entries,
        None if quantization is None else asdict(quantization),
        stored_as,
    )


def source_formats(folder: str | Path, manifest: Manifest) -> str:
    """Number formats of the weights in the source's own files, that of most numbers first: "BF16", "Q4_1, F32".

    "" for a GGUF file that was fetched before its types were kept.

    Raises:
        SourceError: for weights that cannot be read.
    """
    is_gguf = any(str(manifest.source.get(key)).lower().endswith(".gguf") for key in ("name", "file"))
    return manifest.stored_as if manifest.stored_as or is_gguf else number_formats(stored_tensors(folder))


def first_weights(names: Iterable[str]) -> str:
    """The file whose checksum identifies weights in several files: the first safetensors file by name."""
    return min(name for name in names if name.endswith(".safetensors"))


def _revision(files: dict[str, dict[str, Any]]) -> str:
    return f"sha256:{files[first_weights(files)]['sha256']}"


def read_manifest(folder: str | Path) -> Manifest:
    """Read the manifest and check that every file is there, in its full size and of its checksum.

    Raises:
        SourceError: if the folder is no snapshot, or a file is missing, truncated or changed.
    """
    folder = Path(folder)
    try:
        manifest = _parsed(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SourceError(
            f"this is not a snapshot: its {MANIFEST} is missing or damaged",
            where=str(folder),
            todo="delete the folder; the `fetch` rule makes it again",
        ) from error
    for name, entry in manifest.files.items():
        path = folder / name
        if not os.path.exists(path) or path.stat().st_size != entry["bytes"]:
            raise SourceError(
                f"{name} is missing or truncated",
                where=str(folder),
                expected=f"{entry['bytes']} bytes",
                todo=_FETCH_AGAIN,
            )
    _check_checksums(folder, manifest)
    return manifest


def _parsed(raw: Any) -> Manifest:
    """The content of a manifest.

    Raises:
        TypeError, ValueError: if it is not one of a snapshot.
    """
    manifest = Manifest(**raw)
    entries = manifest.files.values() if isinstance(manifest.files, dict) else [None]
    described = {"bytes": int, "sha256": str}
    sound = all(isinstance(e, dict) and {key: type(v) for key, v in e.items()} == described for e in entries)
    quantization = manifest.quantization is None or StoredQuantization(**manifest.quantization)
    source = [type(value) for value in asdict(Source(**manifest.source)).values()]
    sound = (
        sound and isinstance(manifest.revision, str) and source == [type(v) for v in asdict(Source("", "")).values()]
    )
    if not (sound and entries and quantization):
        raise ValueError("not a manifest")
    return manifest


def note_verified(folder: str | Path, manifest: Manifest) -> None:
    """Note that the files, as they are now, have the manifest's checksums; skipped if the note cannot be written."""
    with contextlib.suppress(StoreError):
        write_text(_notes_of(Path(folder)), json.dumps(_states(Path(folder), manifest), indent=1) + "\n")


def _check_checksums(folder: Path, manifest: Manifest) -> None:
    noted = _noted(folder)
    changed = [name for name, state in _states(folder, manifest).items() if noted.get(name) != state]
    for name in changed:
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise SourceError(f"{name} cannot be read ({error})", where=str(folder), todo=_FETCH_AGAIN) from error
        if found != manifest.files[name]["sha256"]:
            raise SourceError(
                f"{name} has changed: its sha256 is {found}",
                where=str(folder),
                expected=manifest.files[name]["sha256"],
                todo=_FETCH_AGAIN,
            )
    if changed:
        note_verified(folder, manifest)


def _noted(folder: Path) -> dict[str, Any]:
    try:
        noted = json.loads(_notes_of(folder).read_text())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _states(folder: Path, manifest: Manifest) -> dict[str, list[Any]]:
    """What identifies the state in which a file's checksum was computed: checksum, size and date."""
    return {
        name: [entry["sha256"], entry["bytes"], (folder / name).stat().st_mtime_ns]
        for name, entry in manifest.files.items()
    }


def _notes_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.verified.json")


def _require(names: Iterable[str], ending: str, source: Source) -> None:
    if not any(name.endswith(ending) for name in names):
        raise SourceError(
            f"no {ending} in it",
            where=f"{source.kind}:{source.name}",
            expected="a transformers model: config.json, tokenizer, safetensors weights",
        )
