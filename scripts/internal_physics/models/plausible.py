"""Whether a config can be that of its weights, before a model is built by it.

A damaged config.json may ask for a billion blocks, or for matrices that fill the memory with numbers drawn at random.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedConfig

from internal_physics.ground.errors import ModelError, UserError
from internal_physics.models.checkpoint import CONFIG, read_config, stored_tensors
from internal_physics.models.stored_quantization import stored_quantization

_COUNTS_BLOCKS = re.compile(r"(^|[_.])(layers?|blocks?)(_count)?$")
_SLACK_BLOCKS = 100
_BLOCKS_PER_TENSOR = 10  # some architectures use the same block several times
_SLACK_NUMBERS = 10**8
_NUMBERS_PER_ENTRY, _NUMBERS_PER_CODE = 2, 32  # weights tied in the files; weights packed in one integer


def require_plausible_depth(folder: str | Path) -> None:
    """Refuse a config.json with many more blocks than there are tensors; nothing is built.

    Raises:
        SourceError: for a config or weights that cannot be read.
        ModelError: naming the entry.
    """
    refuse_deep(read_config(folder), len(stored_tensors(folder)), str(Path(folder) / CONFIG))


def refuse_deep(config: Mapping[str, Any], n_tensors: int, where: str, error: type[UserError] = ModelError) -> None:
    """Refuse entries of a config that count more blocks than `n_tensors` tensors can make up.

    Raises:
        UserError: of the kind `error`, naming the first.
    """
    most = _BLOCKS_PER_TENSOR * n_tensors + _SLACK_BLOCKS
    for name, number in _block_counts(config):
        if number > most:
            raise error(
                f"its {name} is {number}, and there are {n_tensors} tensors",
                where=where,
                expected="the config that belongs to the weights",
                todo="fetch or copy it again",
            )


def require_plausible_size(folder: str | Path, auto: Any) -> None:
    """Refuse a config whose model has many more numbers than the files hold; its skeleton has no memory.

    Args:
        folder: of a checkpoint without code of its own.
        auto: transformers' class of models of the task.

    Raises:
        ModelError: with both numbers; and whatever transformers raises for a config that it cannot build.
    """
    per_entry = _NUMBERS_PER_ENTRY if stored_quantization(folder) is None else _NUMBERS_PER_CODE
    n_stored = per_entry * sum(tensor.size for tensor in stored_tensors(folder))
    refuse_large(AutoConfig.from_pretrained(str(folder)), auto, n_stored, str(Path(folder) / CONFIG))


def refuse_large(
    config: PreTrainedConfig, auto: Any, n_stored: int, where: str, error: type[UserError] = ModelError
) -> None:
    """Refuse a config whose model has many more than `n_stored` numbers.

    Raises:
        UserError: of the kind `error`, with both numbers.
    """
    with torch.device("meta"):
        module = auto.from_config(config)
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    if n_parameters > n_stored + _SLACK_NUMBERS:
        raise error(
            f"it describes a model of {n_parameters:,} numbers, and the weights are at most {n_stored:,}",
            where=where,
            expected="the config that belongs to the weights",
            todo="fetch or copy it again",
        )


def _block_counts(config: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Whole numbers under names such as num_hidden_layers, also of a config in the config."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _block_counts(value)
        elif isinstance(value, int | float) and _COUNTS_BLOCKS.search(str(name)):
            yield str(name), value
