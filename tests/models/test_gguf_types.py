"""Every type that GGUF stores weights in, against gguf's own de-quantisation; and what else changes the numbers."""

import internal_physics as ip
import numpy as np
import pytest
import torch
import transformers as T
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize
from gguf_files import N_HEADS, N_LAYERS, WIDTH, write_gguf
from internal_physics.ground.errors import SourceError
from internal_physics.models.fetch import fetch
from internal_physics.models.gguf_header import read_gguf_header
from internal_physics.models.sources import parse_source
from safetensors.torch import load_file
from tolerances import SAME_PASS

PLAIN = ("F32", "F16", "BF16")
LEGACY = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
K = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K")
IQ = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS")
OTHERS = ("TQ1_0", "TQ2_0", "MXFP4", "NVFP4")
BLOCK = 256  # of the K and IQ types
NAMES = {
    **{"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"},
    **{"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj"},
    **{"attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj"},
    **{"ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"},
}
TEXT = "ab cab."


def snapshot_of(path, folder):
    fetch(parse_source(f"path:{path}"), folder)
    return load_file(folder / "model.safetensors")


def their_name(name):
    parts = name.removesuffix(".weight").split(".")
    return (f"model.layers.{parts[1]}.{NAMES[parts[2]]}" if parts[0] == "blk" else NAMES[parts[0]]) + ".weight"


def halves_together(values):
    """Rows of queries and keys as transformers orders them: GGUF interleaves the two halves of a head."""
    head = values.shape[0] // N_HEADS
    by_head = [values[start : start + head] for start in range(0, values.shape[0], head)]
    return np.concatenate([np.concatenate([rows[0::2], rows[1::2]]) for rows in by_head])


@pytest.mark.parametrize("kind", [*PLAIN, *LEGACY, *K, *IQ, *OTHERS])
def test_every_weight_equals_that_of_the_gguf_library(tmp_path, kind):
    path = write_gguf(tmp_path / "m.gguf", kind=kind, width=BLOCK)
    found = snapshot_of(path, tmp_path / "snapshot")
    theirs = GGUFReader(path).tensors
    assert len(found) == len(theirs) == 3 + 9 * N_LAYERS
    for tensor in theirs:
        expected = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        expected = halves_together(expected) if ".attn_q." in tensor.name or ".attn_k." in tensor.name else expected
        assert np.array_equal(found[their_name(tensor.name)].numpy(), expected), tensor.name
    assert {t.tensor_type.name for t in theirs} == {kind, "F32"}
    assert read_gguf_header(path).stored_as == (kind if kind == "F32" else f"{kind}, F32")


def by_hand(values, codes, kind):
    """Q8_0: a 16-bit scale and 32 whole numbers; Q4_0: a scale and 32 numbers of 4 bits from -8, low halves first."""
    blocks = codes.reshape(-1, 34 if kind == "Q8_0" else 18)
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    numbers = (
        blocks[:, 2:].view(np.int8) if kind == "Q8_0" else np.hstack([blocks[:, 2:] & 15, blocks[:, 2:] >> 4]) - 8.0
    )
    return (scales * numbers).reshape(values.shape)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_a_weight_equals_its_blocks_read_by_hand(tmp_path, kind):
    path = write_gguf(tmp_path / "m.gguf", kind=kind)
    found = snapshot_of(path, tmp_path / "snapshot")["model.layers.1.mlp.down_proj.weight"].numpy()
    codes = next(t.data for t in GGUFReader(path).tensors if t.name == "blk.1.ffn_down.weight")
    assert np.array_equal(found, by_hand(found, codes, kind))


@pytest.mark.parametrize("kind", ["Q4_0", "BF16"])
def test_a_record_equals_transformers_on_the_same_file(tmp_path, kind):
    path = write_gguf(tmp_path / "m.gguf", kind=kind)
    trace = ip.record(ip.load(str(path)), TEXT)
    reference = T.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf", dtype=torch.float32)
    ids = torch.tensor([trace.info.token_ids])
    assert trace.loss_nats == pytest.approx(reference(ids, labels=ids).loss.item(), rel=SAME_PASS)


def refused(path):
    with pytest.raises(SourceError) as error:
        ip.load(str(path))
    assert error.value.where == str(path)
    return error.value


@pytest.mark.parametrize("values", [np.float64, np.int32, np.int8])
def test_a_type_that_is_no_weight_is_refused(tmp_path, values):
    path = tmp_path / "m.gguf"
    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), values))
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    name = {np.float64: "F64", np.int32: "I32", np.int8: "I8"}[values]
    error = refused(path)
    assert error.what == f"it has tensors of the type {name}, which cannot be read as weights"
    assert "safetensors" in error.todo


class TestLeftOut:
    """transformers passes over what it does not know without a word; the numbers would be wrong."""

    def test_a_bias_that_the_architecture_does_not_have(self, tmp_path):
        more = {"blk.0.attn_q.bias": np.ones(WIDTH)}
        error = refused(write_gguf(tmp_path / "m.gguf", more=more))
        assert error.what == "a LlamaForCausalLM of transformers does not use its tensor 'blk.0.attn_q.bias'"

    @pytest.mark.parametrize("kind", ["yarn", "longrope"])
    def test_a_scaling_of_the_rotary_frequencies(self, tmp_path, kind):
        metadata = {"llama.rope.scaling.type": kind, "llama.rope.scaling.factor": 4.0}
        error = refused(write_gguf(tmp_path / "m.gguf", metadata=metadata))
        assert error.what.startswith(f"its rotary frequencies are scaled ({kind})")

    def test_divisors_of_the_rotary_frequencies_that_are_not_those_of_llama_3(self, tmp_path):
        more = {"rope_freqs.weight": np.array([1, 2, 3, 4])}
        assert "(rope_freqs.weight)" in refused(write_gguf(tmp_path / "m.gguf", more=more)).what

    @pytest.mark.parametrize("metadata", [{"llama.rope.scaling.type": "none"}, {"llama.rope.scaling.factor": 1.0}])
    def test_a_scaling_that_changes_nothing_is_accepted(self, tmp_path, metadata):
        path = write_gguf(tmp_path / "m.gguf", metadata=metadata)
        assert ip.load(str(path)).module.config.rope_parameters["rope_type"] == "default"


def frequencies(path, n_frequencies):
    buffers = dict(ip.load(str(path)).module.named_buffers())
    found = next(value for name, value in buffers.items() if name.endswith("rotary_emb.inv_freq"))
    assert found.shape == (n_frequencies,)
    return found.double().numpy()


def test_linearly_scaled_frequencies(tmp_path):
    metadata = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    n = WIDTH // N_HEADS // 2
    plain = 10_000.0 ** (-np.arange(n) / n)
    found = frequencies(write_gguf(tmp_path / "m.gguf", metadata=metadata), n)
    assert found == pytest.approx(plain / 4, rel=1e-6)  # float32


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_frequencies_of_llama_3(tmp_path, factor):
    """Divisors as llama.cpp's converter writes them: 1 for short waves, the factor for long ones, a ramp between."""
    n, theta = BLOCK // N_HEADS // 2, 500_000.0
    plain = theta ** (-np.arange(n) / n)
    ramp = np.clip((8192 * plain / (2 * np.pi) - 1) / (4 - 1), 0, 1)
    divisors = 1 / ((1 - ramp) / factor + ramp)
    assert divisors.min() == 1
    assert divisors.max() == pytest.approx(factor)
    assert len(set(divisors)) > 2
    path = write_gguf(
        tmp_path / "m.gguf",
        width=BLOCK,
        more={"rope_freqs.weight": divisors},
        metadata={"llama.rope.freq_base": theta},
    )
    assert frequencies(path, n) == pytest.approx(plain / divisors, rel=2e-6)  # float32, of two roundings
