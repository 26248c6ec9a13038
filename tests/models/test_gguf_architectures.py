"""GGUF files of other architectures than LLaMA: weights and logits equal those of the model that was written."""

import internal_physics as ip
import pytest
import torch
import transformers as T
from gguf_configs import CONFIGS, SAME_LOGITS, SIZES
from gguf_of_models import N_TOKENS, shaken, write_model
from internal_physics.ground.errors import SourceError
from internal_physics.models.gguf_config import set_from_header
from internal_physics.models.gguf_header import GgufHeader

# Absolute, of gains written as gain + 1 and of decays written as -exp, in float32; others are the same to the last bit.
ROUNDING = 1e-6


@pytest.mark.parametrize("architecture", CONFIGS)
def test_a_file_becomes_the_model_that_it_was_written_from(tmp_path, architecture):
    written = shaken(CONFIGS[architecture]())
    model = ip.load(str(write_model(tmp_path / "m.gguf", architecture, written)))
    found, expected = model.module.state_dict(), written.state_dict()
    assert type(model.module) is type(written)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        atol = ROUNDING if "norm" in name or "A_log" in name else 0
        torch.testing.assert_close(found[name], values, rtol=0, atol=atol, msg=name)
    ids = torch.randint(2, N_TOKENS, (2, 24), generator=torch.Generator().manual_seed(0))
    logits = written(ids).logits.detach()
    error = (model.module(ids).logits - logits).abs().max() / logits.abs().max()
    assert error < SAME_LOGITS


def test_a_head_that_is_turned_in_part_where_the_config_cannot_say_so_is_refused(tmp_path):
    path = write_model(tmp_path / "m.gguf", "qwen2", shaken(CONFIGS["qwen2"]()), rope__dimension_count=4)
    with pytest.raises(SourceError) as error:
        ip.load(str(path))
    assert error.value.what == "its qwen2 has rope.dimension_count 4, which transformers does not read from GGUF"


def test_experts_in_a_file_that_calls_itself_a_llama_are_refused(tmp_path):
    """Mixtral's files are of the architecture llama, and transformers would read a LLaMA without its MLPs."""
    mixtral = shaken(T.MixtralConfig(**SIZES, num_local_experts=4, num_experts_per_tok=2))
    path = write_model(tmp_path / "m.gguf", "llama", mixtral)
    with pytest.raises(SourceError) as error:
        ip.load(str(path))
    assert error.value.what == "its llama has expert_count 4, which transformers does not read from GGUF"
    assert error.value.where == f"path:{path}" or str(path) in error.value.where
    assert error.value.todo == "use the model's safetensors checkpoint"


@pytest.mark.parametrize(
    ("architecture", "config", "n_blocks", "expected"),
    [
        ("gemma2", T.Gemma2Config, 26, 256),
        ("gemma2", T.Gemma2Config, 46, 4608 // 32),
        ("gemma3", T.Gemma3TextConfig, 48, 256),
        ("gemma3", T.Gemma3TextConfig, 62, 4608 // 32),
    ],
)
def test_the_largest_gemmas_scale_scores_in_their_own_way(tmp_path, architecture, config, n_blocks, expected):
    """As published: 144 in Gemma 2 with 46 blocks, of width 4608 and 32 heads; the files do not say so."""
    built = config(num_hidden_layers=n_blocks, hidden_size=4608, num_attention_heads=32, head_dim=256)
    set_from_header(built, tmp_path, GgufHeader({"general.architecture": architecture}, ()))
    assert built.query_pre_attn_scalar == expected
