"""GGUF files: those that transformers reads become snapshots; others are refused with the name of the file."""

import struct

import gguf as library
import internal_physics as ip
import numpy as np
import pytest
import torch
from gguf import GGUFReader, quants
from gguf_files import N_LAYERS, TOKENS, write_gguf
from internal_physics.ground.errors import SourceError
from internal_physics.models import gguf, gguf_once
from internal_physics.models.fetch import fetch
from internal_physics.models.gguf_header import read_gguf_header
from internal_physics.models.snapshot import Manifest, source_formats
from internal_physics.models.sources import parse_source
from safetensors.torch import load_file
from transformers import modeling_gguf_pytorch_utils as reading


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "m.gguf")


def refused(path):
    with pytest.raises(SourceError) as error:
        ip.load(str(path))
    assert error.value.where in (str(path), f"path:{path}")
    return error.value


def header(version=3, n_tensors=0, n_entries=0, magic=b"GGUF"):
    return magic + struct.pack("<IQQ", version, n_tensors, n_entries)


def test_weights_equal_those_of_the_file(whole, tmp_path):
    fetch(parse_source(f"path:{whole}"), tmp_path / "snapshot")
    found = load_file(tmp_path / "snapshot" / "model.safetensors")
    theirs = {t.name: torch.from_numpy(t.data.copy()) for t in GGUFReader(whole).tensors}
    assert len(found) == len(theirs) == 3 + 9 * N_LAYERS
    for ours, name in {
        "model.embed_tokens.weight": "token_embd.weight",
        "lm_head.weight": "output.weight",
        "model.layers.1.mlp.down_proj.weight": "blk.1.ffn_down.weight",
        "model.layers.0.self_attn.v_proj.weight": "blk.0.attn_v.weight",
        "model.norm.weight": "output_norm.weight",
    }.items():
        assert torch.equal(found[ours], theirs[name]), name


def test_it_is_loaded_and_recorded(whole):
    model = ip.load(str(whole))
    trace = ip.record(model, "ab cab.")
    assert (model.tokenizer.vocab_size, trace.n_layers) == (len(TOKENS), N_LAYERS)
    assert "ab" in trace.info.tokens


def test_a_name_in_capitals(whole, tmp_path):
    path = tmp_path / "MODEL.GGUF"
    path.write_bytes(whole.read_bytes())
    assert ip.load(str(path)).anatomy.n_layers == N_LAYERS


@pytest.mark.parametrize("name", ["unknown.gguf", "UNKNOWN.GGUF"])
@pytest.mark.parametrize("architecture", ["gemma3n", "clip", "made-up"])
def test_an_architecture_that_transformers_does_not_read(tmp_path, architecture, name):
    error = refused(write_gguf(tmp_path / name, architecture, tensors=False))
    assert error.what == f"its architecture is {architecture!r}, which transformers does not read from GGUF"
    assert error.expected.startswith("one of ")
    assert "llama" in error.expected
    assert error.todo == "use the model's safetensors checkpoint"


def test_one_part_of_several(whole, tmp_path):
    path = tmp_path / "m-00002-of-00003.gguf"
    path.write_bytes(whole.read_bytes())
    error = refused(path)
    assert error.what == "it is part 2 of 3 of a model"
    assert "gguf-split --merge" in error.todo


@pytest.mark.parametrize("n_bytes", [0, 3, 20, 24, 100, 1000, -1, -1000])
def test_a_truncated_file(whole, tmp_path, n_bytes):
    path = tmp_path / "short.gguf"
    path.write_bytes(whole.read_bytes()[:n_bytes])
    assert refused(path).what


@pytest.mark.parametrize("content", [b"", b"GGUF", b"<html>" * 10, header(magic=b"GGML"), header(magic=b"FUGG")])
def test_another_kind_of_file(tmp_path, content):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    error = refused(path)
    assert error.what == "it does not start as a GGUF file does"
    assert error.expected == "a GGUF file of version 2 or 3"


@pytest.mark.parametrize("version", [0, 1, 4, 0x03000000])
def test_another_version(tmp_path, version):
    path = tmp_path / "m.gguf"
    path.write_bytes(header(version))
    assert refused(path).what == f"its version is {version}"


@pytest.mark.parametrize("counts", [{"n_tensors": 2**40}, {"n_entries": 2**63}])
def test_counts_too_large_to_read(tmp_path, counts):
    path = tmp_path / "m.gguf"
    path.write_bytes(header(**counts))
    assert "its header counts" in refused(path).what


def test_a_header_is_read_as_the_gguf_library_reads_it(whole):
    found, theirs = read_gguf_header(whole), GGUFReader(whole)
    assert [t.name for t in found.tensors] == [t.name for t in theirs.tensors]
    assert [list(t.shape) for t in found.tensors] == [t.shape.tolist() for t in theirs.tensors]
    assert [t.n_bytes for t in found.tensors] == [t.n_bytes for t in theirs.tensors]
    assert {t.kind for t in found.tensors} == {"F32"}
    assert found.metadata["general.architecture"] == "llama"
    assert found.metadata["llama.block_count"] == N_LAYERS
    assert found.n_numbers == sum(t.n_elements for t in theirs.tensors)


@pytest.mark.parametrize("kind", ["Q4_1", "Q8_0", "BF16"])
def test_the_stored_formats_are_reported_although_the_snapshot_is_float32(tmp_path, kind):
    path = write_gguf(tmp_path / "m.gguf", kind=kind)
    assert read_gguf_header(path).stored_as == f"{kind}, F32"
    manifest = fetch(parse_source(f"path:{path}"), tmp_path / "snapshot")
    assert manifest.stored_as == f"{kind}, F32"
    assert {t.dtype for t in load_file(tmp_path / "snapshot" / "model.safetensors").values()} == {torch.float32}
    trace = ip.record(ip.load(str(tmp_path / "snapshot")), "ab cab.")
    assert (trace.info.labels["stored_as"], trace.info.labels["dtype"]) == (f"{kind}, F32", "float32")


def test_an_older_gguf_snapshot_reports_no_format_instead_of_float32(tmp_path):
    old = Manifest({"kind": "pypi", "name": "m", "file": "a/m.GGUF"}, "", {})
    assert source_formats(tmp_path, old) == ""


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("llama.block_count", 2**31, "its llama.block_count is 2147483648, and there are 21 tensors"),
        ("llama.embedding_length", 2**20, "it describes a model of "),
        ("llama.feed_forward_length", 2**30, "it describes a model of "),
    ],
)
def test_a_header_that_needs_more_data_than_the_tensors_have(whole, tmp_path, name, value, what):
    content = whole.read_bytes()
    start = content.index(name.encode()) + len(name) + 4  # after its type, a whole number of 32 bits
    path = tmp_path / "m.gguf"
    path.write_bytes(content[:start] + struct.pack("<I", value) + content[start + 4 :])
    assert what in refused(path).what


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"llama.block_count\4", b"llama.block_count\77", "an entry of its metadata has the unknown type 63"),
        (
            b"tokenizer.ggml.tokens\t\0\0\0\x08",
            b"tokenizer.ggml.tokens\t\0\0\0\t",
            "a list in its metadata has the unknown type 9",
        ),
        (b"output_norm.weight\1", b"output_norm.weight\7", "its tensor 'output_norm.weight' has 7 dimensions"),
        (b"general.architecture\x08\0\0\0\5", b"general.architecture\x08\0\0\0\xff", "it is cut off, or a length"),
    ],
)
def test_an_impossible_header(whole, tmp_path, old, new, what):
    content = whole.read_bytes()
    assert content.count(old) == 1
    path = tmp_path / "m.gguf"
    path.write_bytes(content.replace(old, new))
    assert what in refused(path).what


@pytest.mark.parametrize(
    ("name", "other", "what"),
    [
        (b"blk.1.ffn_up.weight", b"blk.1.ffn_uq.weight", "it lacks model.layers.1.mlp.up_proj.weight"),
        (b"blk.1.attn_norm.weight", b"blk.3.attn_norm.weight", "it lacks model.layers.1.input_layernorm.weight"),
        (b"token_embd.weight", b"token_embq.weight", "it lacks model.embed_tokens.weight"),
        # Without it, transformers silently uses the embedding as the head.
        (
            b"\x0d\0\0\0\0\0\0\0output.weight",
            b"\x0d\0\0\0\0\0\0\0outpuq.weight",
            "tensor 'outpuq.weight' is unknown to GGUF",
        ),
    ],
)
def test_a_missing_weight_is_not_drawn_at_random(whole, tmp_path, name, other, what):
    content = whole.read_bytes()
    assert content.count(name) == 1
    path = tmp_path / "m.gguf"
    path.write_bytes(content.replace(name, other))
    assert what in refused(path).what


def test_names_of_tensors(whole):
    assert all(gguf._is_known(tensor.name) for tensor in GGUFReader(whole).tensors)
    assert gguf._is_known("rope_freqs.weight")
    assert gguf._is_known("blk.10.attn_q.bias")
    assert not gguf._is_known("blk.10.attn_x.bias")


class TestOtherFiles:
    """A single file of weights is not a model; the message says what to name instead."""

    @pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "config.json", "notes"])
    def test_a_file_of_a_model(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"x")
        error = refused(tmp_path / name)
        assert error.what == "it is a file, but not a GGUF file"
        assert error.todo == f"name the folder: path:{tmp_path}"

    def test_a_folder_that_holds_a_gguf_file(self, whole):
        error = refused(whole.parent)
        assert error.what == "no config.json in it"
        assert error.todo == f"name the file: path:{whole}"


def test_a_conversion_parses_the_file_once(whole, tmp_path, monkeypatch):
    """Three times is what transformers does, and it makes the list of names for every module of the model."""
    opened, listed, parsed = [], [], []
    reader, names, parse = gguf_once._Reader, library.get_tensor_name_map, reading._gguf_parse_value
    monkeypatch.setattr(gguf_once, "_Reader", lambda path: opened.append(path) or reader(path))
    monkeypatch.setattr(library, "get_tensor_name_map", lambda *which: listed.append(which) or names(*which))
    monkeypatch.setattr(reading, "_gguf_parse_value", lambda *value: parsed.append(value) or parse(*value))
    fetch(parse_source(f"path:{whole}"), tmp_path / "snapshot")
    assert (opened, len(listed)) == ([str(whole)], 1)
    assert len(parsed) == len({id(part) for part, _ in parsed}) > len(TOKENS)


@pytest.mark.parametrize("endian", list(library.GGUFEndian))
def test_the_quick_reader_reads_every_part_as_the_library_does(tmp_path, endian):
    writer = library.GGUFWriter(tmp_path / "header.gguf", "llama", endianess=endian)
    writer.add_array("tokenizer.ggml.tokens", ["a", "", "日本", "x" * 300])
    writer.add_array("tokenizer.ggml.token_type", [1, -2, 3])
    writer.add_array("tokenizer.ggml.scores", [0.5, -1.25])
    writer.add_array("some.flags", [True, False])
    writer.add_array("some.lists", [[1, 2], [3]])
    writer.add_string("general.name", "tiny")
    writer.add_float32("some.number", 0.25)
    writer.add_tensor("token_embd.weight", np.ones((2, 4), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    slow, quick = library.GGUFReader(tmp_path / "header.gguf"), gguf_once._Reader(tmp_path / "header.gguf")
    assert list(quick.fields) == list(slow.fields)
    for name, field in slow.fields.items():
        found = quick.fields[name]
        assert (found.offset, found.data, found.types) == (field.offset, field.data, field.types), name
        assert [part.dtype for part in found.parts] == [part.dtype for part in field.parts], name
        assert [part.tolist() for part in found.parts] == [part.tolist() for part in field.parts], name
    assert [tensor.data.tolist() for tensor in quick.tensors] == [tensor.data.tolist() for tensor in slow.tensors]


@pytest.mark.parametrize("kind", ["Q4_1", "Q8_0"])
@pytest.mark.parametrize("shape", [(1, 32), (512, 64), (1025, 32), (2, 600, 32)])
def test_long_groups_of_rows_give_the_same_bits(kind, shape):
    values = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    stored = quants.quantize(values, library.GGMLQuantizationType[kind])
    theirs = quants.dequantize(stored, library.GGMLQuantizationType[kind])
    with gguf_once.read_once():
        assert quants._apply_over_grouped_rows is gguf_once._in_long_groups
        found = quants.dequantize(stored, library.GGMLQuantizationType[kind])
    np.testing.assert_array_equal(found, theirs)
    assert (found.dtype, found.shape) == (theirs.dtype, shape)
