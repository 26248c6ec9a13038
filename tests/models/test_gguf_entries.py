"""Entries of GGUF headers that change what a model computes: applied, or refused by their names."""

import internal_physics as ip
import pytest
import torch
import transformers as T
from gguf_configs import CONFIGS, GEMMA, SAME_LOGITS, SIZES, SMALL
from gguf_files import write_gguf
from gguf_of_models import shaken, write_model
from internal_physics.ground.errors import SourceError

IDS = torch.randint(2, SIZES["vocab_size"], (2, 24), generator=torch.Generator().manual_seed(0))


def written(tmp_path, architecture, **more):
    return write_model(tmp_path / "m.gguf", architecture, shaken(CONFIGS[architecture]()), **more)


def refused(path):
    with pytest.raises(SourceError) as error:
        ip.load(str(path))
    assert str(path) in error.value.where
    assert "safetensors" in error.value.todo
    return error.value.what


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("logit_scale", 0.5),
        ("residual_scale", 0.2),
        ("embedding_scale", 12.0),
        ("attention.scale", 0.5),
        ("attention.output_scale", 0.5),
        ("attention.clamp_kqv", 8.0),
        ("attention.max_alibi_bias", 8.0),
        ("attention.causal", False),
        ("attention.value_length", 4),
        ("attention.temperature_length", 8192),
        ("attention.shared_kv_layers", 1),
        ("attention.layer_indices", [0, 1]),
        ("attention.sliding_window", 8),
        ("attention.sliding_window_pattern", [1, 0]),
        ("attn_logit_softcapping", 20.0),
        ("final_logit_softcapping", 20.0),
        ("router_logit_softcapping", 20.0),
        ("rope.freq_base_swa", 2e4),
        ("rope.scaling.attn_factor", 1.2),
        ("rope.scaling.alpha", 2.0),
        ("rope.scaling.yarn_beta_fast", 32.0),
        ("rope.dimension_sections", [2, 1, 1, 0]),
        ("swin_norm", True),
        ("rescale_every_n_layers", 6),
        ("use_parallel_residual", True),
        ("nextn_predict_layers", 1),
        ("an_entry_of_tomorrow", 3),
        ("a_word_of_tomorrow", "yes"),
    ],
)
def test_what_transformers_does_not_read_is_refused_by_name(tmp_path, entry, value):
    shown = "in a list, a value for each block" if isinstance(value, list) else shortened(value)
    said = refused(written(tmp_path, "qwen2", **{entry: value}))
    assert said.startswith(f"its qwen2 has {entry} {shown}")
    assert said.endswith("which transformers does not read from GGUF")


def shortened(value):
    """As a float32 is written; shortened, so that its rounding does not matter."""
    return f"{value}"[:3]


@pytest.mark.parametrize(
    "more",
    [
        {"logit_scale": 1.0, "residual_scale": 0.0, "embedding_scale": 1.0, "attention.scale": 8**-0.5},
        {"attention.clamp_kqv": 0.0, "attention.causal": True, "attention.value_length": 8},
        {"attention.sliding_window": 64, "final_logit_softcapping": 0.0, "tensor_data_layout": "Meta AI original pth"},
        {"rope.scaling.type": "none", "rope.scaling.finetuned": False, "rope.scaling.original_context_length": 32},
        {"rope.scaling.attn_factor": 1.0, "rope.freq_base_swa": 5e5, "expert_count": 0, "pooling_type": 3},
    ],
    ids=lambda more: next(iter(more)),
)
def test_entries_that_say_what_the_model_does_anyway(tmp_path, more):
    model = shaken(CONFIGS["qwen2"]())
    found = ip.load(str(write_model(tmp_path / "m.gguf", "qwen2", model, **more)))
    with torch.no_grad():
        logits = model(IDS).logits
        assert (found.module(IDS).logits - logits).abs().max() / logits.abs().max() < SAME_LOGITS


@pytest.mark.parametrize(
    ("architecture", "entry", "value"),
    [
        ("bloom", "attention.max_alibi_bias", 4.0),
        ("bloom", "feed_forward_length", 64),
        ("bloom", "attention.head_count_kv", 2),
        ("bloom", "rope.freq_base", 1e4),
        ("mamba", "ssm.dt_b_c_rms", True),
        ("minimax-m2", "expert_gating_func", 1),
        ("minimax-m2", "expert_weights_scale", 2.5),
        ("qwen3moe", "expert_gating_func", 2),
        ("qwen3moe", "expert_weights_scale", 2.5),
        ("qwen3moe", "leading_dense_block_count", 1),
        ("qwen2moe", "expert_shared_count", 2),
        ("gemma3", "rope.dimension_count", 8),
        ("gemma2", "attention.sliding_window_pattern", 3),
        ("minimax-m2", "expert_feed_forward_length", 24),
        ("gemma2", "attention.scale", 0.1),
        ("falcon", "attention.head_count_kv", 2),
        ("gpt2", "attention.head_count_kv", 2),
        ("stablelm", "use_parallel_residual", True),
    ],
)
def test_what_an_architecture_has_no_place_for(tmp_path, architecture, entry, value):
    said = refused(written(tmp_path, architecture, **{entry: value}))
    assert said.startswith(f"its {architecture} has {entry} ")


@pytest.mark.parametrize(
    ("architecture", "entry", "value"),
    [
        ("gemma2", "attention.sliding_window_pattern", 2),
        ("gemma2", "attention.scale", 0.25),
        ("bloom", "attention.max_alibi_bias", 8.0),
        ("qwen3moe", "expert_gating_func", 1),
        ("stablelm", "use_parallel_residual", False),
        ("qwen2moe", "expert_shared_count", 1),
        ("gpt2", "attention.head_count_kv", 4),
    ],
)
def test_what_an_architecture_does_anyway(tmp_path, architecture, entry, value):
    model = shaken(CONFIGS[architecture]())
    found = ip.load(str(write_model(tmp_path / "m.gguf", architecture, model, **{entry: value})))
    with torch.no_grad():
        logits = model(IDS).logits
        assert (found.module(IDS).logits - logits).abs().max() / logits.abs().max() < SAME_LOGITS


@pytest.mark.parametrize("architecture", ["deci", "gemma4", "gpt-oss"])
def test_architectures_of_which_a_part_is_not_read(tmp_path, architecture):
    said = refused(write_gguf(tmp_path / "m.gguf", architecture, tensors=False))
    assert said.startswith(f"its architecture is {architecture!r}, of which transformers does not read the ")


@pytest.mark.parametrize("architecture", ["t5", "t5encoder"])
def test_an_encoder_decoder(tmp_path, architecture):
    with pytest.raises(SourceError) as error:
        ip.load(str(write_gguf(tmp_path / "m.gguf", architecture, tensors=False)))
    assert error.value.what == f"its architecture is {architecture!r}, which is no causal language model"


def test_a_falcon_whose_keys_are_grouped(tmp_path):
    """Falcon 40B: the order of queries, keys and values in its files is not undone, and shapes may fit all the same."""
    config = T.FalconConfig(**SMALL, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True)
    said = refused(write_model(tmp_path / "m.gguf", "falcon", shaken(config)))
    assert said == "its falcon has attention.head_count_kv 2, which transformers does not read from GGUF"


def test_a_tensor_of_another_shape_is_named(tmp_path):
    said = refused(written(tmp_path, "qwen2", feed_forward_length=40))
    assert said == "its model.layers.0.mlp.down_proj.weight has the shape (32, 48), and by its header (32, 40)"


def test_which_blocks_of_a_gemma_have_a_window_is_read_from_its_list(tmp_path):
    """Without a list they are every block but each sixth."""
    config = T.Gemma3TextConfig(
        **SIZES | {"num_hidden_layers": 3},
        **GEMMA,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
    )
    model = shaken(config)
    more = {"attention.sliding_window_pattern": [False, True, False]}
    found = ip.load(str(write_model(tmp_path / "m.gguf", "gemma3", model, **more)))
    assert found.module.config.layer_types == config.layer_types
    with torch.no_grad():
        logits = model(IDS).logits
        assert (found.module(IDS).logits - logits).abs().max() / logits.abs().max() < SAME_LOGITS


def test_a_gemma_3_with_scaled_frequencies(tmp_path):
    """Those of 4 billion weights and more: only blocks without a window are scaled, as in their own config.json."""
    rope = {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    config = T.Gemma3TextConfig(
        **SIZES, **GEMMA, layer_types=["full_attention", "sliding_attention"], rope_parameters=rope
    )
    model = shaken(config)
    more = {
        "attention.sliding_window_pattern": [False, True],
        **{"rope.scaling.type": "linear", "rope.scaling.factor": 8.0},
    }
    found = ip.load(str(write_model(tmp_path / "m.gguf", "gemma3", model, **more)))
    with torch.no_grad():
        logits = model(IDS).logits
        assert (found.module(IDS).logits - logits).abs().max() / logits.abs().max() < SAME_LOGITS
