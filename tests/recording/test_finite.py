"""Numbers out of range are reported with their place and a better number format, not as an unknown architecture."""

import math

import pytest
import torch
from internal_physics.ground.errors import ModelError
from internal_physics.models.loading import wrap_model
from internal_physics.recording.selfcheck import check_model
from tiny_models import build_model

LAST = "model.layers.2.mlp.down_proj.weight"


def check(module):
    return check_model(wrap_model(module, None))


def refused(module) -> ModelError:
    with pytest.raises(ModelError) as error:
        check(module)
    assert "report" not in str(error.value)
    assert error.value.where == type(module).__name__
    return error.value


def with_large_maps(layer: int, dtype: torch.dtype, factor: float = 3e3):
    """A model whose block `layer` exceeds the range of float16, but of no wider format."""
    model = build_model("llama")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if f"layers.{layer}.mlp" in name and ("up_proj" in name or "down_proj" in name):
                parameter *= factor
    return model.to(dtype)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_an_overflow_in_float16_names_the_block_and_what_to_use(layer):
    error = refused(with_large_maps(layer, torch.float16))
    assert error.what == f"not finite in block {layer} in float16: use bfloat16 or float32"
    assert error.todo == "nothing was recorded; set another dtype for this model"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_model_is_accepted_in_a_wider_format(dtype):
    model = check(with_large_maps(1, dtype)).model
    assert model.module.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_overflow_in_a_format_of_full_range_points_to_the_checkpoint(dtype):
    error = refused(with_large_maps(0, dtype, 1e22))
    assert error.what == f"not finite in block 0 in {str(dtype)[6:]}"
    assert error.todo == "nothing was recorded; is the checkpoint whole, and of this architecture?"


def test_an_overflow_after_the_blocks_is_in_the_readout():
    model = build_model("llama").to(torch.float16)
    with torch.no_grad():
        model.model.norm.weight.fill_(6e4)
        model.lm_head.weight.fill_(6e4)
    assert refused(model).what == "not finite in the readout in float16: use bfloat16 or float32"


def test_an_overflow_of_a_scaled_embedding_is_in_the_embedding():
    model = build_model("gemma2").to(torch.float16)
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(6e4)
    assert refused(model).what == "not finite in the embedding in float16: use bfloat16 or float32"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("name", "parameter"), [("llama", LAST), ("gemma2", "model.embed_tokens.weight")])
def test_a_weight_that_is_not_finite_is_named(name, parameter, value):
    """Even if its embedding would be refused because it is not a scaled look-up."""
    model = build_model(name)
    with torch.no_grad():
        dict(model.named_parameters())[parameter][1] = value
    weight = dict(model.named_parameters())[parameter]
    if name == "gemma2":
        with torch.no_grad():
            weight[:] = value
    n_unfinite = weight.numel() if name == "gemma2" else weight.shape[1]
    error = refused(model)
    assert error.what == f"the weight {parameter} is not finite in float32: {n_unfinite} of {weight.numel()}"
    assert error.expected == "finite weights"
    assert "fetch or convert the checkpoint again" in error.todo


def test_a_weight_beyond_float16_names_formats_with_more_range():
    model = build_model("llama")
    with torch.no_grad():
        dict(model.named_parameters())[LAST][0, 0] = 7e4
    check(model)
    error = refused(model.to(torch.float16))
    assert error.what == f"the weight {LAST} is not finite in float16: 1 of 2048"
    assert error.todo.endswith("if it holds larger numbers than float16 can, use bfloat16 or float32")
