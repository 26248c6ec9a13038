"""How much of a model is quantised: bitsandbytes quantises linear maps, and leaves experts in one tensor alone."""

import logging

import internal_physics as ip
import pytest
import torch
import transformers as T
from tiny_models import build_tokenizer

SIZES = {"vocab_size": 97, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
IDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
CONFIGS = {
    "llama": lambda: T.LlamaConfig(**SIZES, **IDS, intermediate_size=128, num_key_value_heads=4),
    "llama_tied": lambda: T.LlamaConfig(**SIZES, **IDS, intermediate_size=128, tie_word_embeddings=True),
    "mixtral": lambda: T.MixtralConfig(
        **SIZES, **IDS, intermediate_size=128, num_key_value_heads=4, num_local_experts=4, num_experts_per_tok=2
    ),
}


@pytest.fixture
def save(tmp_path):
    def saved(name: str):
        torch.manual_seed(0)
        T.AutoModelForCausalLM.from_config(CONFIGS[name]()).save_pretrained(tmp_path / name)
        build_tokenizer().save_pretrained(tmp_path / name)
        return tmp_path / name

    return saved


def counted(model: T.PreTrainedModel) -> float:
    """Numbers in linear maps but the head, of all in the model."""
    maps = [m.weight for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and n != "lm_head"]
    return sum(w.numel() for w in maps) / sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_share_is_that_of_the_linear_maps(save, name, quantization, caplog):
    folder = save(name)
    expected = counted(T.AutoModelForCausalLM.from_pretrained(folder))
    with caplog.at_level(logging.WARNING, "internal_physics"):
        model = ip.load(str(folder), quantization=quantization)
    assert model.labels["quantized_share"] == pytest.approx(expected, rel=1e-12)  # quotient of the same whole numbers
    said = [r.getMessage() for r in caplog.records if "are quantised" in r.getMessage()]
    if name != "mixtral":
        assert said == []
        return
    assert len(said) == 1
    assert said[0].startswith(f"{quantization}: {100 * expected:.0f} % of the parameters are quantised; ")
    assert "model.layers.0.mlp.experts.gate_up_proj" in said[0]
    assert ip.record(model, "the cat").info.labels["quantized_share"] == model.labels["quantized_share"]


def test_a_model_that_is_not_quantised_has_none(save, caplog):
    with caplog.at_level(logging.WARNING, "internal_physics"):
        model = ip.load(str(save("mixtral")))
    assert model.labels["quantized_share"] == 0
    assert not any("are quantised" in r.getMessage() for r in caplog.records)
