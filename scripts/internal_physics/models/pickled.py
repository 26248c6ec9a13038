"""Pickled PyTorch weights → safetensors; only for sources that allow it by name, and with weights_only loading."""

from pathlib import Path

import torch
from safetensors.torch import save_file


def convert(folder: Path, destination: Path) -> None:
    """Convert every `pytorch_model*.bin` of `folder` into one safetensors file.

    `weights_only` refuses pickles that would run code; shared tensors are stored once per name.

    Raises:
        FileNotFoundError: if there is no such file.
        UnpicklingError: if a pickle holds more than tensors.
    """
    state: dict[str, torch.Tensor] = {}
    files = sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise FileNotFoundError("there is no pytorch_model*.bin")
    for file in files:
        state |= torch.load(file, map_location="cpu", weights_only=True)
    save_file(
        {name: tensor.clone().contiguous() for name, tensor in state.items()},
        destination / "model.safetensors",
        metadata={"format": "pt"},
    )
