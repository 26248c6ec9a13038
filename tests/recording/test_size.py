"""The expected size of a record is that of its numbers; small tensors (norms, attention rows) are left out."""

import internal_physics as ip
import pytest
import torch
import transformers as T
from cases import case, record
from internal_physics.recording.recorder import RecordOptions
from internal_physics.recording.selfcheck import check_model
from internal_physics.recording.size import BYTES_PER_NUMBER, expected_bytes
from tiny_models import build_tokenizer

COUNTED = ("activation", "gradient", "input", "output_gradient", "ids", "logits", "gradient_sketches")


def held_bytes(trace):
    return BYTES_PER_NUMBER * sum(array.size for key, array in trace.tensors.items() if key.quantity in COUNTED)


def expected(model, trace, **options):
    known = RecordOptions(**options)
    return expected_bytes(model.anatomy, model.coverage, trace.n_tokens, known, n_vocabulary=model.n_embeddings)


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
def test_it_is_exact(name, logits):
    """With factors too: the self-check knows which maps share their input."""
    tiny = case(name)
    model = check_model(tiny.model).model
    for kept in ("factors", "sketch", "norms", "none"):
        for trace in record(tiny.model, tiny.encoded, weight_gradients=kept, logits=logits).values():
            assert held_bytes(trace) == expected(model, trace, weight_gradients=kept, logits=logits)


SIZES = {
    **{"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
    **{"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0},
}
MIXTURES = {
    "mixtral": lambda: T.MixtralConfig(**SIZES, intermediate_size=64, num_local_experts=4, num_experts_per_tok=2),
    "gpt_oss": lambda: T.GptOssConfig(
        **SIZES, intermediate_size=64, num_local_experts=4, num_experts_per_tok=2, head_dim=8
    ),
}


@pytest.mark.parametrize("text", ["the cat sat on the mat.", "ab"])
@pytest.mark.parametrize("name", MIXTURES)
def test_experts_count_with_the_tokens_that_are_routed_to_them(tmp_path, name, text):
    torch.manual_seed(0)
    T.AutoModelForCausalLM.from_config(MIXTURES[name]()).save_pretrained(tmp_path)
    build_tokenizer().save_pretrained(tmp_path)
    model = ip.load(str(tmp_path))
    trace = ip.record(model, text, weight_gradients="factors")
    assert any("experts" in parameter for parameter in trace.parameters)
    assert held_bytes(trace) == expected(model, trace, weight_gradients="factors")  # as many experts for every token


def test_gradients_that_are_kept_whole_count_once_for_a_prompt(tmp_path):
    torch.manual_seed(0)
    config = T.MambaConfig(vocab_size=97, hidden_size=16, num_hidden_layers=2, state_size=4, pad_token_id=0)
    T.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    build_tokenizer().save_pretrained(tmp_path)
    model = ip.load(str(tmp_path))
    assert model.coverage.numbers_per_prompt > 0
    for text in ("ab", "the cat sat on the mat."):
        trace = ip.record(model, text, weight_gradients="factors")
        assert held_bytes(trace) == expected(model, trace, weight_gradients="factors")
