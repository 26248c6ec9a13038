"""Models that treat long prompts in another way: frequencies by the longest prompt of a pass, attention in blocks."""

import numpy as np
import pytest
import torch
import transformers as T
from cases import check, encoded, record
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError
from internal_physics.models.lengths import longest_dense, ranges_of
from internal_physics.models.loading import wrap_model
from internal_physics.recording.derive_direction import last_states
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.selfcheck import check_model
from tiny_models import N_VOCABULARY, build_tokenizer
from transformers import CONFIG_MAPPING

from benchmarks.architectures.configs import small_config

_BLOCKS = {"vocab_size": N_VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_MLP = {**_BLOCKS, "intermediate_size": 64, "pad_token_id": 0}
_LONG_FROM = 8
_ROTATION = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [3.0, 2.5, 4.0, 8.0],
    "original_max_position_embeddings": _LONG_FROM,
}
LENGTHS = {"short": 3, "last_short": _LONG_FROM, "first_long": _LONG_FROM + 1, "long": 20}
PROMPTS = [encoded(name, range(5, 5 + n)) for name, n in LENGTHS.items()]


def phi3():
    torch.manual_seed(0)
    lengths = {"original_max_position_embeddings": _LONG_FROM, "max_position_embeddings": 64}
    config = T.Phi3Config(**_MLP, num_key_value_heads=2, rope_parameters=_ROTATION, **lengths)
    return check(T.Phi3ForCausalLM(config).double()).model


def big_bird(attention_type="block_sparse"):
    torch.manual_seed(0)
    blocks = {"block_size": 2, "num_random_blocks": 1, "attention_type": attention_type}
    module = T.BigBirdForMaskedLM(T.BigBirdConfig(**_MLP, **blocks, max_position_embeddings=64)).double().eval()
    return check_model(wrap_model(module, build_tokenizer(masked=True), "masked")).model


def test_a_prompt_is_rotated_alike_in_a_batch_with_a_longer_one_and_alone():
    model = phi3()
    alone, batched = record(model, PROMPTS, batch_size=1), record(model, PROMPTS, batch_size=16)
    for name, trace in batched.items():
        assert trace.loss_nats == pytest.approx(alone[name].loss_nats, rel=1e-12)
        np.testing.assert_allclose(trace.residuals(), alone[name].residuals(), rtol=0, atol=1e-11)
        for matrix in trace.parameters:
            assert trace.gradient_norm(matrix) == pytest.approx(alone[name].gradient_norm(matrix), rel=1e-9)


def test_the_state_of_a_text_is_that_of_the_text_alone():
    model = phi3()
    together = last_states(model, PROMPTS, batch_size=16)
    for state, e in zip(together, PROMPTS, strict=True):
        np.testing.assert_allclose(state, last_states(model, [e], batch_size=1)[0], rtol=0, atol=1e-11)


def test_frequencies_change_where_the_config_says():
    ranges = ranges_of(phi3().module)
    assert [ranges.allow(3, n) for n in LENGTHS.values()] == [True, True, False, False]
    assert ranges.allow(_LONG_FROM + 1, 20)
    assert ranges_of(T.LlamaForCausalLM(T.LlamaConfig(**_MLP))).allow(1, 10_000)


def test_prompts_whose_keys_an_indexer_chooses_run_alone():
    """Many keys have the score 0, and which of those are chosen depends on the padding."""
    torch.manual_seed(0)
    config = small_config(CONFIG_MAPPING["deepseek_v32"], "causal")
    config.index_topk = 4
    model = check(T.AutoModelForCausalLM.from_config(config, attn_implementation="eager").double()).model
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    ranges = ranges_of(model.module)
    assert [ranges.allow(3, n) for n in (3, 4, 5)] == [True, True, False]
    assert not ranges.allow(5, 5)
    draw = np.random.default_rng(7)
    prompts = [encoded(f"p{n}", draw.integers(5, N_VOCABULARY, n)) for n in (3, 4, 9, 14, 21)]
    alone, batched = record(model, prompts, batch_size=1), record(model, prompts, batch_size=16)
    for name, trace in batched.items():
        np.testing.assert_allclose(trace.residuals(), alone[name].residuals(), rtol=0, atol=1e-10)


def test_a_prompt_that_is_attended_to_in_blocks_is_refused():
    model = big_bird()
    at_most = Prompt("at_most", "a" * 11 + "[MASK]")  # and [CLS] and [SEP]: 14 = (5 + 2 · 1) · 2
    encode_prompts(model, [at_most])
    with pytest.raises(PromptError, match=r"15 tokens: this model attends to so many in blocks") as error:
        encode_prompts(model, [at_most, Prompt("longer", "a" * 12 + "[MASK]")])
    assert error.value.where == "prompt 'longer' ('aaaaaaaaaaaa[MASK]')"
    assert error.value.expected == "at most 14 tokens"


def test_a_model_that_attends_to_all_reads_prompts_of_any_length():
    model = big_bird("original_full")
    (found,) = encode_prompts(model, [Prompt("long", "a" * 40 + "[MASK]")])
    assert len(found.ids) == 43
    assert longest_dense(T.BigBirdConfig(attention_type="block_sparse"), "causal") is None
