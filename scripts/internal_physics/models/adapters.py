"""Adapters: recognised and refused, since nothing here applies them. No heavy imports."""

from collections.abc import Iterator
from pathlib import Path

from internal_physics.ground.errors import SourceError
from internal_physics.models.checkpoint import read_mapping

SETTINGS = "adapter_config.json"
FILES = (SETTINGS, "adapter_model.*", "pytorch_lora_weights.*", "pytorch_adapter.bin")


def refuse_adapter(folder: str | Path, where: str) -> None:
    """Refuse a folder that holds an adapter, alone or beside its base model: it would not be applied.

    Raises:
        SourceError: naming the file, the kind of adapter and its base model.
    """
    adapter = next(_adapters(Path(folder)), None)
    if adapter is None:
        return
    name = adapter.relative_to(folder).as_posix()
    raise SourceError(
        f"{name} is {_describe_adapter(adapter)}, which would not be applied",
        where=where,
        expected="a whole model",
        todo="merge the adapter into its base model (peft: merge_and_unload), save that and use its folder; "
        "for the base model alone, use a folder without the adapter",
    )


def _adapters(folder: Path) -> Iterator[Path]:
    """Adapter files of the folder itself, then of the folders in it."""
    for prefix in ("", "*/"):
        for name in FILES:
            yield from sorted(folder.glob(prefix + name))


def _describe_adapter(path: Path) -> str:
    settings_path = path.with_name(SETTINGS)
    settings = read_mapping(settings_path) if settings_path.is_file() else {}
    kind, base = settings.get("peft_type"), settings.get("base_model_name_or_path")
    return f"{f'a {kind}' if kind else 'an'} adapter" + (f" of {base}" if base else "")
