"""Steering directions read from files.

File forms: .safetensors with one vector, or one per layer named residual.{l} (as the rule `derive_direction` writes);
.pt (weights only) with one vector, or per hookpoint; .csv per hookpoint, pointing to local sparse coders of sparsify.
The hookpoint forms are those of lm-evaluation-harness' steered model: hookpoint, steering_vector,
steering_coefficient, action (add or clamp) and bias. They change the *output* of a block, the input of the next.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from internal_physics.config.conditions import HOOKPOINT_COLUMNS, SPARSE_CODER, read_hookpoints
from internal_physics.ground.errors import ConfigError
from internal_physics.models.anatomy import Anatomy

PER_LAYER = re.compile(r"residual\.(\d+)")
_ACTIONS = ("add", "clamp")


@dataclass(frozen=True)
class Direction:
    """A vector [d] and its own strength.

    Attributes:
        vector: [d].
        action: add or clamp.
        coefficient: factor of the added vector, or the value that the component is clamped to.
        bias: [d], origin of a clamp.
    """

    vector: np.ndarray
    action: str = "add"
    coefficient: float = 1.0
    bias: np.ndarray | None = None


def read_directions(file: Path, anatomy: Anatomy, where: str) -> Direction | dict[int, Direction]:
    """One direction for any layer, or one per layer, from a file.

    Raises:
        ConfigError: as `build_steering`.
    """
    place = f"{where} → {file}"
    readers = {".safetensors": _from_safetensors, ".csv": _from_csv}
    found = readers.get(file.suffix, _from_pt)(file, anatomy, place)
    for layer, direction in found.items() if isinstance(found, dict) else [(None, found)]:
        _check(direction, anatomy, place if layer is None else f"{place} → layer {layer}")
    return found


def block_of(hookpoint: str, anatomy: Anatomy, where: str) -> int:
    """The block that a hookpoint names: "layers.3", or any longer end of its path in the module tree.

    Raises:
        ConfigError: for a hookpoint that is not a block of this model.
    """
    path, _, index = hookpoint.rpartition(".")
    is_end = path and f".{anatomy.blocks_path}".endswith(f".{path}")
    if not (is_end and index.isdecimal() and int(index) < anatomy.n_layers):
        short = anatomy.blocks_path.rpartition(".")[2]
        raise ConfigError(
            f"the hookpoint {hookpoint!r} is not a block of this model",
            where=where,
            expected=f"{short}.0 to {short}.{anatomy.n_layers - 1}",
        )
    return int(index)


def _from_safetensors(file: Path, _anatomy: Anatomy, where: str) -> Direction | dict[int, Direction]:
    tensors = _tensors(file, where)
    layers = {name: PER_LAYER.fullmatch(name) for name in tensors}
    if tensors and all(layers.values()):
        return {int(match[1]): Direction(_vector(tensors[name], where)) for name, match in layers.items() if match}
    if len(tensors) != 1:
        raise ConfigError(
            f"it holds {len(tensors)} tensors",
            where=where,
            expected="a single vector, or one per layer named residual.0, residual.1, …",
        )
    return Direction(_vector(next(iter(tensors.values())), where))


def _from_pt(file: Path, anatomy: Anatomy, where: str) -> Direction | dict[int, Direction]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler may raise anything
        raise ConfigError(
            f"it cannot be loaded with weights_only: {next(iter(str(error).splitlines()), type(error).__name__)}",
            where=where,
            expected="tensors, numbers, text, lists and mappings only",
        ) from error
    if isinstance(content, torch.Tensor):
        return Direction(_vector(content, where))
    if isinstance(content, Mapping):
        content = [{"hookpoint": hookpoint, **_mapping(entry, where)} for hookpoint, entry in content.items()]
    if not isinstance(content, Sequence) or isinstance(content, str) or not content:
        raise ConfigError(f"it holds a {type(content).__name__}", where=where, expected="a vector, or hookpoints")
    return _by_layer([_mapping(entry, where) for entry in content], anatomy, where)


def _from_csv(file: Path, anatomy: Anatomy, where: str) -> dict[int, Direction]:
    """Rows loader, action, sparse_model, hookpoint, feature_index, steering_coefficient; other columns are ignored."""
    rows = read_hookpoints(file, where)
    return _by_layer([_sparse_feature(row, place) for place, row in rows], anatomy, where)


def _sparse_feature(row: Mapping[str, str], where: str) -> dict[str, Any]:
    """One decoder row of a local sparse coder, as an entry of the .pt form."""
    missing = [key for key in HOOKPOINT_COLUMNS if not row.get(key)]
    if missing:
        raise ConfigError(f"no {missing[0]}", where=where, expected="a value in this column")
    coder = Path(row["sparse_model"]) / row["hookpoint"] / SPARSE_CODER
    if (row.get("loader") or "sparsify") != "sparsify" or not os.path.isfile(coder):
        raise ConfigError(
            f"there is no local sparse coder {coder}",
            where=where,
            expected="loader sparsify, and sparse_model a folder on this machine",
            todo="download it first, or save the vector as a .pt file",
        )
    tensors, feature = _tensors(coder, where), row["feature_index"]
    decoder = tensors.get("W_dec", torch.empty(0))
    if not feature.isdecimal() or decoder.ndim != 2 or int(feature) >= len(decoder):
        raise ConfigError(f"no feature {feature} in {coder}", where=where, expected="a row of its W_dec")
    return {
        "hookpoint": row["hookpoint"],
        "steering_vector": decoder[int(feature)],
        "steering_coefficient": _number(row["steering_coefficient"], where),
        "action": row.get("action") or "add",
        "bias": tensors.get("b_dec"),
    }


def _by_layer(entries: Sequence[Mapping[str, Any]], anatomy: Anatomy, where: str) -> dict[int, Direction]:
    """Hookpoint entries → residual position: the output of block l is residual[l + 1]."""
    directions: dict[int, Direction] = {}
    for entry in entries:
        missing = [key for key in ("hookpoint", "steering_vector", "steering_coefficient") if key not in entry]
        action = entry.get("action", "add")
        if missing or action not in _ACTIONS:
            wrong = f"an entry without {missing[0]}" if missing else f"the action {action!r}"
            raise ConfigError(
                wrong, where=where, expected="hookpoint, steering_vector, steering_coefficient, action add or clamp"
            )
        layer = block_of(str(entry["hookpoint"]), anatomy, where) + 1
        if layer in directions:
            raise ConfigError(f"the hookpoint {entry['hookpoint']!r} is given twice", where=where, expected="each once")
        bias = None if entry.get("bias") is None else _vector(entry["bias"], where)
        directions[layer] = Direction(
            _vector(entry["steering_vector"], where), action, _number(entry["steering_coefficient"], where), bias
        )
    return directions


def _check(direction: Direction, anatomy: Anatomy, where: str) -> None:
    for vector in (direction.vector, direction.bias):
        if vector is not None and vector.shape != (anatomy.width,):
            raise ConfigError(
                f"a vector of {vector.size} numbers",
                where=where,
                expected=f"{anatomy.width}, the width of the model's residual stream",
            )
    bias = np.zeros(0) if direction.bias is None else direction.bias
    numbers = np.concatenate([direction.vector, bias, [direction.coefficient]])
    if not np.isfinite(numbers).all() or (direction.action == "clamp" and not direction.vector.any()):
        raise ConfigError("it is not finite, or a clamp along a zero vector", where=where, expected="finite numbers")


def _tensors(file: Path, where: str) -> dict[str, torch.Tensor]:
    try:
        return load_file(str(file))
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{file.name} cannot be read: {error}", where=where, expected="a safetensors file") from error


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"found {value!r}", where=where, expected="a number") from error


def _vector(tensor: Any, where: str) -> np.ndarray:
    if not isinstance(tensor, torch.Tensor) or tensor.ndim != 1:
        shape = f"shape {tuple(tensor.shape)}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        raise ConfigError(f"found {shape}", where=where, expected="a vector: a tensor of one dimension")
    if tensor.is_complex() or tensor.is_quantized or tensor.is_meta or tensor.layout != torch.strided:
        kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}"
        raise ConfigError(f"found a tensor of {kind}", where=where, expected="a vector of real numbers that are stored")
    return tensor.detach().double().numpy()


def _mapping(entry: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"found {type(entry).__name__}", where=where, expected="a mapping for each hookpoint")
    return entry
