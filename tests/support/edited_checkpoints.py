"""Checkpoints whose config or tensors are changed, and what loading them then says."""

import json
import shutil
from pathlib import Path

import pytest
from internal_physics.ground.errors import ModelError
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from safetensors.torch import load_file, save_file


def copy(folder: Path, to: Path) -> Path:
    """A copy of a checkpoint in the folder `to`."""
    return Path(shutil.copytree(folder, to / folder.name))


def edit_config(folder: Path, **changes: object) -> Path:
    """Change entries of config.json; None removes one."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


def edit_tensors(folder: Path, change) -> Path:
    """Apply `change` to the mapping of tensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def refusal(folder: Path, **options: str) -> ModelError:
    """The error of loading on a CPU."""
    with pytest.raises(ModelError) as error:
        load_snapshot(folder, LoadOptions(device="cpu", **options))
    return error.value
