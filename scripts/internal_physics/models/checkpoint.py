"""A transformers folder: the files that loading uses, and whether they are complete. No heavy imports.

Only these files count: they are fetched, described in the manifest, added up to the model's size, and make it stale
when they change. Other files do not count: notes, an optimizer's state, the same weights in another format.
"""

import json
import os
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from internal_physics.ground.errors import SourceError
from internal_physics.ground.text_files import read_text
from internal_physics.models.safetensors_header import StoredTensor, read_header
from internal_physics.models.sources import Source

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIGS = (CONFIG, "generation_config.json", "adapter_config.json")  # an adapter is never ignored
# What transformers' tokenizers are made of; a test compares the list with transformers' own.
TOKENIZER_FILES = (
    "tokenizer*.json",
    "tokenizer.model*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab*",
    "merges*",
    "*.model",
    "*.spm",
    "*.tiktoken",
    "tekken.json",
    "bpe.codes",
    "byte_maps.json",
    "dict.txt",
    "emoji.json",
    "entity_vocab.json",
    "normalizer.json",
    "prophetnet.tokenizer",
    "target_vocab.json",
    "word_pronunciation.json",
    "word_shape.json",
)
REMOTE_CODE = ("*.py", "*.json", "*.txt")  # a model's own code may read files of any name


def used_files(folder: str | Path, *, trust_remote_code: bool = False) -> list[Path]:
    """The files of a folder that loading uses, sorted; its weights only where they are safetensors.

    Raises:
        SourceError: for an index of shards that cannot be read or lists missing files.
    """
    folder = Path(folder)
    patterns = [*CONFIGS, *TOKENIZER_FILES, *(REMOTE_CODE if trust_remote_code else ())]
    names = [name for name in os.listdir(folder) if any(fnmatch(name, pattern) for pattern in patterns)]
    small = {folder / name for name in names if not name.endswith(".index.json") and (folder / name).is_file()}
    weights = weight_files(folder)
    index = {folder / INDEX} if weights and folder / WEIGHTS not in weights and (folder / INDEX).is_file() else set()
    return sorted(small | index | set(weights))


def tokenizer_files(folder: str | Path) -> list[Path]:
    """The files of a folder that a tokenizer is made of, sorted."""
    names = [n for n in os.listdir(folder) if any(fnmatch(n, pattern) for pattern in TOKENIZER_FILES)]
    return [path for name in sorted(names) if (path := Path(folder) / name).is_file()]


def model_files(source: Source) -> list[str]:
    """The files of a `path:` source that its snapshot is made of; all files of a damaged one, so that it is tried."""
    path = Path(source.name).expanduser()
    if source.kind != "path" or not os.path.exists(path):
        return []
    if not os.path.isdir(path):
        return [str(path)]
    try:
        files = used_files(path, trust_remote_code=source.trust_remote_code)
        return sorted({*map(str, files), *(() if weight_files(path) else _pickled(path))})
    except (SourceError, OSError):
        return sorted(str(file) for file in path.glob("*") if os.path.isfile(file))


def _pickled(folder: Path) -> list[str]:
    return [str(path) for path in folder.glob("pytorch_model*.bin")]


def weight_files(folder: str | Path) -> list[Path]:
    """The safetensors files that transformers takes a model's weights from; empty if it finds none.

    Raises:
        SourceError: for an index of shards that cannot be read or lists missing files.
    """
    folder = Path(folder)
    missing = [path for path in named_weights(folder) if not os.path.isfile(path)]
    if missing:
        raise SourceError(
            f"its weights are not all there: {missing[0].relative_to(folder)} is missing",
            where=str(folder),
            expected="every file that the index of the checkpoint lists",
            todo="fetch or copy the rest",
        )
    return named_weights(folder)


def named_weights(folder: Path) -> list[Path]:
    """The safetensors files that a folder's config, or its index of shards, names, whether they exist or not.

    The order is transformers': what config.json names as `transformers_weights`, one file, an index of shards.

    Raises:
        SourceError: for a config or an index that cannot be read, or names a file outside of the folder.
    """
    config = folder / CONFIG
    named = read_mapping(config).get("transformers_weights") if config.is_file() else None
    if named is not None:
        _require_inside(str(named), config)
        return _shards(folder / named) if str(named).endswith(".index.json") else [folder / named]
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    return _shards(folder / INDEX) if (folder / INDEX).is_file() else []


def stored_tensors(folder: str | Path) -> list[StoredTensor]:
    """The tensors of a model's weights as they are stored; none is read.

    Raises:
        SourceError: naming the file that is damaged.
    """
    return [tensor for file in weight_files(folder) for tensor in read_header(file)]


def read_config(folder: str | Path) -> dict[str, Any]:
    """The model's config.json.

    Raises:
        SourceError: if it is missing or not JSON.
    """
    return read_mapping(Path(folder) / CONFIG)


def check_whole(files: Iterable[Path]) -> None:
    """Refuse damaged weights and JSON files that are not JSON.

    Raises:
        SourceError: naming the file.
    """
    for file in files:
        if file.suffix == ".safetensors":
            read_header(file)
        elif file.suffix == ".json":
            _json(file)


def _shards(index: Path) -> list[Path]:
    listed = read_mapping(index).get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(isinstance(name, str) for name in listed.values()):
        raise SourceError("it has no weight_map", where=str(index), expected="the index of a sharded checkpoint")
    names = sorted(set(listed.values()))
    for name in names:
        _require_inside(name, index)
    return [index.parent / name for name in names]


def _require_inside(name: str, lister: Path) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not name.endswith((".safetensors", ".index.json")):
        raise SourceError(f"it names {name!r}", where=str(lister), expected="safetensors files of its own folder")


def read_mapping(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        SourceError: where it does not, or cannot be read.
    """
    content = _json(path)
    if not isinstance(content, dict):
        raise SourceError(f"it holds a {type(content).__name__}", where=str(path), expected="a JSON object")
    return content


def _json(path: Path) -> Any:
    text = read_text(path, error=SourceError)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"not valid JSON: {error}", where=str(path), todo="fetch or copy the file again") from error
