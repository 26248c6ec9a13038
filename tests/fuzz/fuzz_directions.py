"""Steering directions in files: vectors of another length, type or number are refused, others are used as they are."""

import io

import numpy as np
import torch
from damage import meaning_damaged, safetensors_damaged
from fuzz_kinds import Kind
from hypothesis import strategies as st
from internal_physics.models.anatomy import Anatomy
from internal_physics.steering.directions import build_steering
from safetensors.torch import load_file, save_file

WIDTH, N_LAYERS = 4, 2
ANATOMY = Anatomy("Llama", "model.layers", N_LAYERS, WIDTH, (), ())
VECTORS = {f"residual.{layer}": torch.arange(WIDTH) + 1.0 + layer for layer in range(N_LAYERS + 1)}
ENTRIES = [
    {
        "hookpoint": f"layers.{i}",
        "steering_vector": torch.ones(WIDTH) * (i + 1),
        "steering_coefficient": 2.0,
        "action": a,
    }
    for i, a in enumerate(("add", "clamp"))
]


def _make_safetensors(folder):
    save_file(VECTORS, folder / "v.safetensors")
    return folder / "v.safetensors"


def _read_safetensors(path):
    steering = build_steering({"file": str(path)}, ANATOMY, file=path)
    stored = load_file(path)
    names = {f"residual.{layer}" for layer in steering.edits}
    assert names == set(stored) or len(stored) == 1
    for layer, (edit,) in steering.edits.items():
        vector = stored.get(f"residual.{layer}", next(iter(stored.values())))
        np.testing.assert_array_equal(edit.vector, vector.double().numpy())


def _make_pt(folder):
    torch.save(ENTRIES, folder / "v.pt")
    return folder / "v.pt"


def _read_pt(path):
    steering = build_steering({"file": str(path)}, ANATOMY, file=path)
    stored = torch.load(path, weights_only=True)
    assert all(np.isfinite(edit.vector).all() for (edit,) in steering.edits.values())
    assert isinstance(stored, torch.Tensor) or len(steering.edits) == len(stored)


TENSORS = (
    *(torch.ones(WIDTH), torch.ones(WIDTH - 1), torch.ones(1, WIDTH), torch.ones(WIDTH, dtype=torch.int64)),
    *(torch.full((WIDTH,), torch.nan), torch.ones(WIDTH, dtype=torch.complex64), torch.ones(WIDTH).bool()),
    *(
        torch.tensor(1.0),
        torch.zeros(WIDTH),
        torch.ones(WIDTH).to_sparse(),
        torch.ones(WIDTH, dtype=torch.float8_e4m3fn),
    ),
    torch.quantize_per_tensor(torch.ones(WIDTH), 0.1, 0, torch.qint8),
)


@st.composite
def _pt_meaning(draw, _content):
    plain = [{**entry, "steering_vector": 0} for entry in ENTRIES]
    found = draw(meaning_damaged(plain))
    for entry in found if isinstance(found, list) else ():
        if isinstance(entry, dict) and entry.get("steering_vector") == 0:
            entry[draw(st.sampled_from(["steering_vector", "steering_vector", "bias", "steering_coefficient"]))] = draw(
                st.sampled_from(TENSORS)
            )
    sink = io.BytesIO()
    torch.save(found, sink)
    return sink.getvalue()


KINDS = (
    Kind("directions safetensors", _make_safetensors, _read_safetensors, safetensors_damaged),
    Kind("directions .pt", _make_pt, _read_pt, _pt_meaning),
)
