"""A model's folder as somebody else made it, and what fetching says about it."""

import pytest
from checkpoints import safetensors_header
from internal_physics.ground.errors import SourceError
from internal_physics.models.fetch import fetch

WEIGHTS = safetensors_header({"a": ("F32", [2, 3])}) + bytes(24)
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"[]",
    "model.safetensors": WEIGHTS,
    "vocab.txt": b"words",
    "modeling_x.py": b"raise SystemExit",
    "README.md": b"not needed",
    "training_args.bin": b"not needed",
}
KEPT = {"config.json", "tokenizer.json", "model.safetensors", "vocab.txt"}


def names(snapshot):
    return {path.name for path in snapshot.iterdir()}


def refused(source, snapshot):
    with pytest.raises(SourceError) as error:
        fetch(source, snapshot)
    return error.value
