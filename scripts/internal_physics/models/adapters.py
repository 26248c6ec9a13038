"""Adapters: found in folders, and refused where they would be ignored. No heavy imports."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import SourceError
from internal_physics.models.checkpoint import CONFIG, read_mapping

SETTINGS = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
FILES = (SETTINGS, "adapter_model.*", "pytorch_lora_weights.*", "pytorch_adapter.bin")


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter alone, without the model that it belongs to."""
    return (folder / SETTINGS).is_file() and not (folder / CONFIG).is_file()


def refuse_adapter(folder: str | Path, where: str, applied: Path | None = None) -> None:
    """Refuse a model's folder that also holds an adapter: it would not be applied.

    Args:
        folder: of the model.
        where: for the message.
        applied: folder of the adapter that is merged, which may be the model's own.

    Raises:
        SourceError: naming the file, the kind of adapter and its base model.
    """
    others = (a for a in _adapters(Path(folder)) if applied is None or a.parent.resolve() != applied.resolve())
    adapter = next(others, None)
    if adapter is None:
        return
    name = adapter.relative_to(folder).as_posix()
    raise SourceError(
        f"{name} is {_describe_adapter(adapter)}, which would not be applied",
        where=where,
        expected="a whole model",
        todo=f"to apply it, set `adapter: path:{adapter.parent}` for this model; for a model that it is merged into "
        "already, or for the base model alone, use a folder without it",
    )


def adapter_files(folder: Path) -> list[Path]:
    """Settings and weights of the adapter in a folder, as far as they are there."""
    return [path for name in (SETTINGS, WEIGHTS, PICKLED) if (path := folder / name).is_file()]


def adapter_sha256(folder: Path) -> str:
    """SHA-256 of the settings and weights of an adapter, one after the other."""
    digest = hashlib.sha256()
    for path in adapter_files(folder):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _adapters(folder: Path) -> Iterator[Path]:
    """Adapter files of the folder itself, then of the folders in it."""
    for prefix in ("", "*/"):
        for name in FILES:
            yield from sorted(folder.glob(prefix + name))


def _describe_adapter(path: Path) -> str:
    settings_path = path.with_name(SETTINGS)
    settings: dict[str, Any] = read_mapping(settings_path) if settings_path.is_file() else {}
    kind, base = settings.get("peft_type"), settings.get("base_model_name_or_path")
    return f"{f'a {kind}' if kind else 'an'} adapter" + (f" of {base}" if base else "")
