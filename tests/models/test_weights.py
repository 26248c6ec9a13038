"""Weights as the model uses them: each once, under the names of the traces, de-quantised if quantised."""

import copy

import bitsandbytes as bnb
import pytest
import torch
from bitsandbytes.functional import _convert_weight_packed_for_cpu
from internal_physics.models.kinds import kind_of
from internal_physics.models.loading import wrap_model
from internal_physics.models.weights import dense_weight, weights_of
from tiny_models import ARCHITECTURES, build_model, task_of


def weights(name):
    model = wrap_model(build_model(name), None, task_of(name))
    return model, list(weights_of(model.module, model.anatomy))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_weight_comes_once_with_its_shape_and_kind(name):
    model, found = weights(name)
    parameters = dict(model.module.named_parameters())
    names = [w.parameter for w in found]
    assert len(set(names)) == len(names)
    assert set(names) | set(model.anatomy.unmapped) == {n for n, p in parameters.items() if p.ndim == 2}
    for weight in found:
        torch.testing.assert_close(weight.dense(), parameters[weight.parameter].detach(), rtol=0, atol=0)
        assert tuple(weight.dense().shape) == weight.shape
    inside = [w for w in found if 0 <= w.layer < model.anatomy.n_layers]
    assert inside
    assert "other" not in {w.kind for w in inside}


def test_kinds_of_conv1d_tied_and_segment_weights():
    _, gpt2 = weights("gpt2")
    kinds = {w.parameter: (w.kind, w.shape) for w in gpt2}
    assert kinds["transformer.h.0.attn.c_attn.weight"] == ("fused_qkv", (32, 96))  # Conv1D: [in, out]
    assert kinds["transformer.wpe.weight"] == ("position", (64, 32))
    assert "lm_head.weight" not in kinds
    assert kinds["transformer.wte.weight"][0] == "embedding"
    _, bert = weights("bert")
    assert {w.kind for w in bert} >= {"segment", "position", "embedding", "query", "output", "up", "down", "other"}
    _, grouped = weights("llama")
    shapes = {w.kind: w.shape for w in grouped}
    assert shapes["key"] == shapes["value"] == (16, 32)
    assert shapes["query"] == (32, 32)
    assert kind_of("lm_head.weight", layer=3, n_layers=3, lookup=False) in shapes


def four_bit(quant_type, *, nested=False, compute_dtype=torch.float32, shape=(96, 128)):
    torch.manual_seed(0)
    module = bnb.nn.Linear4bit(shape[1], shape[0], bias=False, compute_dtype=compute_dtype)
    weight = torch.randn(shape)
    module.weight = bnb.nn.Params4bit(
        weight, requires_grad=False, quant_type=quant_type, compress_statistics=nested
    ).to("cpu")
    return module, weight


def what_it_multiplies_with(module, n_in):
    """The columns of the matrix, taken from the outputs for unit vectors."""
    return module(torch.eye(n_in).requires_grad_(True)).detach().T


@pytest.mark.parametrize("quant_type", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
def test_4_bit_weights_are_what_the_module_multiplies_with(quant_type, nested):
    module, plain = four_bit(quant_type, nested=nested)
    found = dense_weight(module)
    torch.testing.assert_close(found, what_it_multiplies_with(module, 128), rtol=0, atol=0)
    assert 0.02 < (found - plain).norm() / plain.norm() < 0.2


def test_4_bit_weights_are_rounded_to_a_narrow_compute_type():
    wide, _ = four_bit("nf4")
    narrow, _ = four_bit("nf4", compute_dtype=torch.bfloat16)
    assert dense_weight(narrow).dtype == torch.bfloat16
    torch.testing.assert_close(dense_weight(narrow), dense_weight(wide).bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize("quant_type", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
def test_the_packed_cpu_layout_holds_the_same_codes(quant_type, nested):
    module, _ = four_bit(quant_type, nested=nested)
    plain = dense_weight(module)
    packed = copy.deepcopy(module)
    packed.weight.data, packed.weight.quant_state = _convert_weight_packed_for_cpu(
        packed.weight.data, packed.weight.quant_state
    )
    before = (packed.weight.data.clone(), packed.weight.quant_state.absmax.clone())
    found = dense_weight(packed)
    # Packing keeps the scales in bfloat16, which has 8 bits: half a unit in the last place is 2^-9, or 2^-8 where it
    # falls on the other side; a misplaced code or scale would be off by a factor.
    torch.testing.assert_close(found, plain, rtol=2**-8, atol=0)
    assert packed.weight.quant_state.dtype != torch.float32
    torch.testing.assert_close(packed.weight.data, before[0], rtol=0, atol=0)
    torch.testing.assert_close(packed.weight.quant_state.absmax, before[1], rtol=0, atol=0)


def test_8_bit_weights_are_codes_times_the_scale_of_their_row_before_and_after_a_pass():
    torch.manual_seed(0)
    plain = torch.randn(24, 64)
    module = bnb.nn.Linear8bitLt(64, 24, bias=False, has_fp16_weights=False)
    module.weight = bnb.nn.Int8Params(plain, requires_grad=False, has_fp16_weights=False).to("cpu")
    before = dense_weight(module)
    # At most half a step of 1/127 of the row's largest value, and bitsandbytes first rounds to float16.
    assert ((before - plain).abs() <= plain.abs().amax(dim=1, keepdim=True) / 127 * 0.6).all()
    module(torch.randn(3, 64))
    torch.testing.assert_close(dense_weight(module), before, rtol=0, atol=0)


def test_an_unknown_layout_is_refused():
    module = torch.nn.Linear(4, 4)
    module.weight = torch.nn.Parameter(torch.zeros(4, 4, dtype=torch.int16), requires_grad=False)
    with pytest.raises(TypeError, match=r"torch.int16 in a layout that is not known"):
        dense_weight(module)
