"""Pickled PyTorch weights → safetensors; only for sources that allow it by name, and with weights_only loading."""

from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import save_file

from internal_physics.models.checkpoint import read_mapping

_WHOLE = "pytorch_model.bin"
_INDEX = "pytorch_model.bin.index.json"


def convert(folder: Path, destination: Path) -> None:
    """Convert the pickled weights of `folder` into one safetensors file.

    They are those that transformers reads: `pytorch_model.bin`, else the shards that an index lists; else every
    `pytorch_model*.bin`. `weights_only` refuses pickles that would run code; shared tensors are stored once per name.

    Raises:
        SourceError: for an index that cannot be read.
        FileNotFoundError: if there is no such file, or one that the index lists is not there.
        UnpicklingError: if a pickle holds more than tensors, or two of them hold one tensor with other values.
    """
    state: dict[str, torch.Tensor] = {}
    for file in _files(folder):
        for name, tensor in read_pickled(file).items():
            if name in state and not torch.equal(state[name], tensor):
                raise UnpicklingError(f"{file.name} holds other values of {name} than a file before it")
            state[name] = tensor
    save_file(
        {name: tensor.clone().contiguous() for name, tensor in state.items()},
        destination / "model.safetensors",
        metadata={"format": "pt"},
    )


def read_pickled(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a pickle, by name, on the CPU.

    Raises:
        UnpicklingError: if it holds anything else, such as the state of a training.
    """
    found = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise UnpicklingError(f"{file.name} holds a {type(found).__name__}, not tensors by their names")
    other = next((name for name, value in found.items() if not isinstance(value, torch.Tensor)), None)
    if other is not None:
        raise UnpicklingError(f"{file.name} holds a {type(found[other]).__name__} under {other!r}, not a tensor")
    return found


def _files(folder: Path) -> list[Path]:
    if (folder / _WHOLE).is_file():
        return [folder / _WHOLE]
    index = folder / _INDEX
    listed = read_mapping(index).get("weight_map") if index.is_file() else None
    names = (
        set(listed.values()) if isinstance(listed, dict) else {file.name for file in folder.glob("pytorch_model*.bin")}
    )
    files = [folder / Path(str(name)).name for name in sorted(names, key=str)]
    missing = next((file.name for file in files if not file.is_file()), None)
    if missing is not None or not files:
        raise FileNotFoundError(f"{missing} is missing" if missing else "there is no pytorch_model*.bin")
    return files
