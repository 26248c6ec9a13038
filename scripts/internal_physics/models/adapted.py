"""Which model and which adapter a source stands for, and how both become one snapshot.

A source is a model, a model with the option `adapter`, or the folder of an adapter that names its base. No heavy
imports.
"""

import re
from dataclasses import replace
from pathlib import Path

from internal_physics.ground.errors import SourceError
from internal_physics.models.adapters import SETTINGS, adapter_files, adapter_sha256, is_adapter
from internal_physics.models.checkpoint import model_files, read_mapping, tokenizer_files
from internal_physics.models.sources import Source, parse_source

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)?")


def base_of(folder: Path, source: Source) -> Source:
    """The base model that the settings of an adapter name: a folder that is there, otherwise a repository of the hub.

    Raises:
        SourceError: where they name none, a folder that is not there, or that of another adapter.
    """
    settings = read_mapping(folder / SETTINGS)
    name, revision = settings.get("base_model_name_or_path"), settings.get("revision")
    if isinstance(name, str) and is_adapter(Path(name).expanduser()):
        raise of_an_adapter(name, str(folder / SETTINGS), source.text)
    plain = replace(source, file="", sha256="", revision="", adapter=source.text)
    if isinstance(name, str) and name and Path(name).expanduser().exists():
        return replace(plain, kind="path", name=name)
    if isinstance(name, str) and _HUB_NAME.fullmatch(name):
        return replace(plain, kind="hf", name=name, revision=revision if isinstance(revision, str) else "main")
    raise SourceError(
        f"its base model, {name}, is not there" if name else "its settings name no base model",
        where=str(folder / SETTINGS),
        expected="base_model_name_or_path: a folder, or a name in the hub",
        todo=f"set `source` to the base model, and `adapter: {source.text}`",
    )


def of_an_adapter(base: str, where: str, adapter: str) -> SourceError:
    """The refusal of an adapter whose base is one too.

    Args:
        base: folder of the adapter that is the base.
        where: what names it.
        adapter: source of the adapter of it.
    """
    return SourceError(
        f"its base model, {base}, is an adapter itself",
        where=where,
        expected="an adapter of a whole model",
        todo="merge the first adapter into its base with peft (merge_and_unload), save that, and set `source` to it "
        f"and `adapter: {adapter}`",
    )


def local_files(source: Source) -> list[str]:
    """The local files that a source's snapshot is made of, those of its adapter and base too; none of hubs."""
    if source.kind == "lab":
        return [source.training]
    if not source.adapter:
        folder = Path(source.name).expanduser()
        if source.kind == "path" and is_adapter(folder):
            return sorted({*_own_files(folder), *_files_of_base(folder, source)})
        return model_files(source)
    adapter = parse_source(source.adapter)
    own = _own_files(Path(adapter.name).expanduser()) if adapter.kind == "path" else []
    return sorted({*own, *model_files(source)})


def merge(snapshot: Path, adapter: Path, base: Source, revision: str) -> tuple[str, str]:
    """Merge the adapter in a folder into a snapshot of its base; its tokenizer replaces the base's, if it has one.

    Args:
        snapshot: folder of the base's files, changed in place.
        adapter: folder of the adapter.
        base: where the snapshot comes from; its `adapter` says where the adapter does.
        revision: that identifies the base's content.

    Returns:
        The revision of both, and both in words.

    Raises:
        SourceError, ModelError: as `lora.read_adapter` and `merging.merge_adapter`.
    """
    from internal_physics.models.lora import read_adapter  # noqa: PLC0415  (imports torch)
    from internal_physics.models.lora_settings import read_lora  # noqa: PLC0415
    from internal_physics.models.merging import merge_adapter  # noqa: PLC0415

    weights = read_adapter(adapter, read_lora(adapter), allow_pickle=base.allow_pickle)
    (snapshot / SETTINGS).unlink(missing_ok=True)  # of a base that lies in the same folder
    merge_adapter(snapshot, weights, trust_remote_code=base.trust_remote_code)
    return f"{revision} + sha256:{adapter_sha256(adapter)}", f"LoRA {base.adapter} merged into {base.text}"


def own_tokenizer(adapter: Path) -> list[Path]:
    """The files of an adapter's own tokenizer; empty if it has none."""
    files = tokenizer_files(adapter)
    whole = {"tokenizer.json", "tokenizer_config.json"}
    return files if whole <= {file.name for file in files} else []


def drop_tokenizer(snapshot: Path) -> None:
    """Remove the tokenizer of a snapshot."""
    for file in tokenizer_files(snapshot):
        file.unlink()


def _own_files(folder: Path) -> list[str]:
    return [str(path) for path in [*adapter_files(folder), *(tokenizer_files(folder) if folder.is_dir() else ())]]


def _files_of_base(folder: Path, source: Source) -> list[str]:
    try:
        return model_files(base_of(folder, source))
    except SourceError:  # `fetch` shows it
        return []
