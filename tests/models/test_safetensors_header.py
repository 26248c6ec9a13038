"""Headers of safetensors files: read and refused as by the safetensors library."""

import json
import struct

import pytest
import torch
from checkpoints import safetensors_header, write_safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from internal_physics.ground.errors import SourceError
from internal_physics.models.safetensors_header import StoredTensor, read_header
from safetensors import safe_open
from safetensors.torch import save_file


def refused(path):
    with pytest.raises(SourceError) as error:
        read_header(path)
    assert error.value.where == str(path)
    return error.value


def test_every_type_of_torch_is_read(tmp_path):
    dtypes = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int32]
    dtypes += [torch.int64, torch.bool, torch.int16, torch.float8_e4m3fn, torch.float8_e5m2]
    tensors = {f"t{i}": torch.zeros(i + 1, 3).to(dtype) for i, dtype in enumerate(dtypes)}
    save_file(tensors, tmp_path / "f.safetensors", metadata={"format": "pt"})
    found = {t.name: t for t in read_header(tmp_path / "f.safetensors")}
    assert {name: t.shape for name, t in found.items()} == {name: tuple(t.shape) for name, t in tensors.items()}
    assert {name: t.n_bytes for name, t in found.items()} == {
        name: t.numel() * t.element_size() for name, t in tensors.items()
    }


@pytest.mark.parametrize(
    ("shape", "dtype", "n_bytes"), [((), "F32", 4), ((0, 5), "F32", 0), ((3, 3), "F4", 5), ((2,), "F6_E2M3", 2)]
)
def test_bytes_of_a_tensor(shape, dtype, n_bytes):
    assert StoredTensor("t", dtype, shape).n_bytes == n_bytes


def test_a_file_without_tensors(tmp_path):
    assert read_header(write_safetensors(tmp_path / "f.safetensors")) == []


def test_a_truncated_file_says_how_much_is_missing(tmp_path):
    path = write_safetensors(tmp_path / "f.safetensors", a=[10], b=[5])
    with path.open("r+b") as data:
        data.truncate(path.stat().st_size - 4)
    error = refused(path)
    assert error.what == "it is truncated: 56 bytes of tensors"
    assert error.expected == "60 bytes, by its header"


def test_a_file_that_goes_on_after_its_tensors(tmp_path):
    path = write_safetensors(tmp_path / "f.safetensors", a=[10])
    path.write_bytes(path.read_bytes() + b"x")
    assert refused(path).what == "it is longer than its header says: 41 bytes of tensors"


def test_a_pointer_of_git_lfs(tmp_path):
    path = tmp_path / "f.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    error = refused(path)
    assert error.what == "it is the pointer of Git LFS to the weights, not the weights"
    assert "git lfs pull" in error.todo


@pytest.mark.parametrize("content", [b"", b"1234567", b"<!DOCTYPE html><html></html>", b"\x80\x02}q\x00.", bytes(100)])
def test_another_kind_of_file(tmp_path, content):
    path = tmp_path / "f.safetensors"
    path.write_bytes(content)
    error = refused(path)
    assert (error.what, error.expected) == ("its header cannot be read", "a safetensors file")


def test_a_missing_file_and_a_folder(tmp_path):
    assert refused(tmp_path / "none.safetensors").what == "there is no such file"
    assert refused(tmp_path).what == "it is a folder, not a file"


ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
WRONG = {
    "no mapping": [],
    "no type": {"shape": [2, 3], "data_offsets": [0, 24]},
    "unknown type": ENTRY | {"dtype": "F31"},
    "type of another kind": ENTRY | {"dtype": ["F32"]},
    "negative shape": ENTRY | {"shape": [-2, -3]},
    "shape of text": ENTRY | {"shape": "23"},
    "shape of fractions": ENTRY | {"shape": [2.0, 3]},
    "shape of truth values": ENTRY | {"shape": [True, 6]},
    "shape too large": ENTRY | {"shape": [2**40, 2**40]},
    "shape too small": ENTRY | {"shape": [2, 2]},
    "one offset": ENTRY | {"data_offsets": [24]},
    "offsets turned": ENTRY | {"data_offsets": [24, 0]},
    "offsets after a gap": ENTRY | {"data_offsets": [4, 28]},
}


@pytest.mark.parametrize("entry", WRONG.values(), ids=WRONG)
def test_invalid_headers(tmp_path, entry):
    path = tmp_path / "f.safetensors"
    header = json.dumps({"t": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(24))
    assert refused(path).what == "its header has an impossible entry for 't'"


def test_tensors_that_overlap(tmp_path):
    path = tmp_path / "f.safetensors"
    header = json.dumps({"a": ENTRY, "b": ENTRY | {"data_offsets": [12, 36]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(36))
    assert refused(path).what == "its header has an impossible entry for 'b'"


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_headers_that_safetensors_refuses_are_refused(tmp_path, data):
    """With random changes of its bytes, no header is accepted that safetensors refuses."""
    content = bytearray(safetensors_header({"a": ("F32", [2, 3]), "bc": ("I32", [4])}) + bytes(40))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 41))] = data.draw(st.integers(0, 255))
    path = tmp_path / "f.safetensors"
    path.write_bytes(content)
    found = shapes_or_place(path)
    if found != str(path):
        assert found == shapes_by_safetensors(path)


def shapes_or_place(path):
    """The contents of a file, or the place that a refusal names."""
    try:
        return {t.name: t.shape for t in read_header(path)}
    except SourceError as error:
        return error.where


def shapes_by_safetensors(path):
    with safe_open(path, "pt") as tensors:
        return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
