"""Snapshots: a folder with config, tokenizer and safetensors, and a manifest that says what they are.

The manifest holds no time stamp, so that equal sources give equal snapshots.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from internal_physics.errors import SourceError
from internal_physics.models.sources import Source

MANIFEST = "snapshot.json"
KEPT = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.py", "tokenizer*", "merges*", "vocab*")
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds.

    Attributes:
        source: as parsed from the config.
        revision: resolved: package version, commit hash, or sha256 of the source file.
        files: size in bytes and sha256 of every file.
    """

    source: dict[str, Any]
    revision: str
    files: dict[str, dict[str, Any]]

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


def write_manifest(folder: Path, source: Source, revision: str) -> Manifest:
    """Describe every file of a finished snapshot folder.

    Raises:
        SourceError: if the folder lacks a config or safetensors weights.
    """
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    _require(names, "config.json", source)
    _require(names, ".safetensors", source)
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)} for name in names}
    manifest = Manifest(asdict(source), revision, files)
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")
    return manifest


def read_manifest(folder: str | Path) -> Manifest:
    """Read the manifest and check that every file is there in its full size.

    Raises:
        SourceError: if the folder is no snapshot, or a file is missing or truncated.
    """
    folder = Path(folder)
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError) as error:
        raise SourceError(
            "this is no snapshot",
            where=str(folder),
            todo="delete the folder; the `fetch` rule makes it again",
        ) from error
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.exists() or path.stat().st_size != entry["bytes"]:
            raise SourceError(
                f"{name} is missing or truncated",
                where=str(folder),
                expected=f"{entry['bytes']} bytes",
                todo="delete the folder and fetch again",
            )
    return manifest


def _require(names: Iterable[str], ending: str, source: Source) -> None:
    if not any(name.endswith(ending) for name in names):
        raise SourceError(
            f"no {ending} in it",
            where=f"{source.kind}:{source.name}",
            expected="a transformers model: config.json, tokenizer, safetensors weights",
        )
