"""Small files of a checkpoint, made without torch."""

import json
import struct
from math import prod
from pathlib import Path

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I32": 4, "U8": 1, "I8": 1, "F8_E4M3": 1}


def safetensors_header(tensors: dict[str, tuple[str, list[int]]]) -> bytes:
    """Length and header of a file that holds tensors of these names, types and shapes in this order."""
    entries, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + prod(shape) * BYTES[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    header = json.dumps({"__metadata__": {"format": "pt"}} | entries).encode()
    return struct.pack("<Q", len(header)) + header


def write_safetensors(path: Path, **tensors: tuple[str, list[int]] | list[int]) -> Path:
    """A file of these shapes, all zeros; sparse, so that its size costs nothing. Types are F32 where not given."""
    typed = {name: ("F32", t) if isinstance(t, list) else t for name, t in tensors.items()}
    header = safetensors_header(typed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as data:
        data.write(header)
        data.truncate(len(header) + sum(prod(shape) * BYTES[dtype] for dtype, shape in typed.values()))
    return path


def write_index(folder: Path, shards: dict[str, str]) -> Path:
    """An index of shards: tensor → file."""
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    return path
