"""Recording: batched equals alone, padding has no influence, and records equal what the model itself reports."""

import numpy as np
import pytest
import torch
from cases import (
    DTYPES,
    EVERY,
    EVERY_ID,
    case,
    encoded,
    question,
    record,
    recorded,
    relative,
    with_pad_id,
    worst_difference,
)
from hypothesis import given
from hypothesis import strategies as st
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import PromptError, StoreError
from internal_physics.recording.batches import batches_of
from internal_physics.recording.encoding import Encoded, encode
from internal_physics.recording.packing import Packing
from internal_physics.records.trace import Key
from oracles import loss_of
from tiny_models import ARCHITECTURES, CAUSAL_CONFIGS, FLOAT32_INSIDE, MASKED_CONFIGS, build_tokenizer, task_of
from tolerances import BATCHED, EXACT, METRIC, SAME_PASS

every_name = pytest.mark.parametrize("name", ARCHITECTURES)


def batched_tolerance(name: str, dtype: str) -> float:
    return BATCHED["float32" if name in FLOAT32_INSIDE else dtype]


# --- batched equals alone --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dtype"), EVERY, ids=EVERY_ID)
def test_a_prompt_in_a_batch_equals_the_prompt_alone(name, dtype):
    alone, batched = recorded(name, dtype, batch_size=1), recorded(name, dtype, batch_size=16)
    assert set(alone) == set(batched)
    for prompt, trace in batched.items():
        worst, where = worst_difference(trace, alone[prompt])
        assert worst <= batched_tolerance(name, dtype), f"{where} of prompt {prompt}"
        assert trace.loss_nats == pytest.approx(alone[prompt].loss_nats, rel=batched_tolerance(name, dtype))
        assert trace.info.parameters == alone[prompt].info.parameters


@given(
    lengths=st.lists(st.integers(1, 50), max_size=30), batch_size=st.integers(1, 6), batch_tokens=st.integers(1, 120)
)
def test_batches_hold_every_prompt_once_and_no_more_tokens_than_allowed(lengths, batch_size, batch_tokens):
    encoded = [Encoded(Prompt(str(i), "x"), (0,) * n, ("x",) * n, n - 1) for i, n in enumerate(lengths)]
    batches = list(batches_of(encoded, batch_size, batch_tokens))
    assert sorted(e.prompt.name for batch in batches for e in batch) == sorted(e.prompt.name for e in encoded)
    for batch in batches:
        assert len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * max(len(e.ids) for e in batch) <= batch_tokens


@every_name
def test_norms_in_a_batch_equal_norms_alone(name):
    alone, batched = (recorded(name, "float64", n, "norms") for n in (1, 16))
    for prompt, trace in batched.items():
        assert worst_difference(trace, alone[prompt])[0] <= batched_tolerance(name, "float64"), prompt


@every_name
def test_the_order_of_prompts_and_their_neighbors_are_irrelevant(name):
    tiny = case(name, "float64")
    turned = record(tiny.model, tiny.encoded[::-1], batch_size=2)
    for prompt, trace in recorded(name, "float64").items():
        assert worst_difference(turned[prompt], trace)[0] <= batched_tolerance(name, "float64"), prompt


@every_name
def test_what_stands_in_the_padding_does_not_matter(name):
    tiny = case(name, "float64")
    other = record(with_pad_id(tiny.model, 31), tiny.encoded)
    for prompt, trace in recorded(name, "float64").items():
        assert worst_difference(other[prompt], trace)[0] <= EXACT, prompt


@every_name
def test_no_tensor_reaches_into_the_padding(name):
    """Every tensor has the prompt's own number of tokens, and gradients of a short prompt touch its own tokens only."""
    for prompt, trace in recorded(name, "float64").items():
        for key, tensor in trace.tensors.items():
            if key.site != "logits":
                assert tensor.shape[1 if key.site == "attention" else 0] == trace.n_tokens, (prompt, key)
        for parameter in trace.parameters:
            for use in (u for u in trace.parameter(parameter).uses if u.lookup):
                ids = trace.tensor(use.site, use.layer, "ids")
                touched = np.flatnonzero(np.linalg.norm(trace.gradient(parameter).dense(), axis=1))
                if len(trace.parameter(parameter).uses) == 1:
                    assert set(touched) <= set(ids.tolist()), (prompt, parameter)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 3), st.booleans())
def test_packing_keeps_the_real_tokens_and_nothing_else(lengths, width, flattened):
    packing = Packing(lengths, max(lengths))
    padded = torch.randn(len(lengths), max(lengths), width)
    shown = padded.flatten(0, 1) if flattened else padded
    assert packing.fits(shown)
    packed = packing.pack(shown)
    assert packed.shape == (sum(lengths), width)
    assert packing.pack(shown) is packed or not packing.is_needed
    unpacked = packing.unpack(packed, shown.shape).view_as(padded)
    for b, length in enumerate(lengths):
        assert torch.equal(packing.of_prompt(packed, b), padded[b, :length])
        assert torch.equal(unpacked[b, :length], padded[b, :length])
        assert not unpacked[b, length:].any()


def test_a_tensor_changed_in_place_is_packed_again():
    packing, padded = Packing([1, 2], 2), torch.ones(2, 2, 3)
    assert packing.pack(padded).sum() == 9
    padded.mul_(2)
    assert packing.pack(padded).sum() == 18


# --- against what the model reports ----------------------------------------------------------------


def reported(name: str, dtype: str, prompt, **extra: object):
    """The model's own outputs for one prompt, without any hook of the library."""
    with torch.no_grad():
        return case(name, dtype).module(torch.tensor([prompt.ids]), **extra)


@every_name
def test_residuals_equal_hidden_states_before_the_last_block(name):
    for prompt in case(name).encoded:
        states = reported(name, "float32", prompt, output_hidden_states=True).hidden_states
        trace = recorded(name, "float32", batch_size=1)[prompt.prompt.name]
        assert len(states) == trace.n_layers + 1
        for layer in range(trace.n_layers):
            assert relative(trace.residual(layer), states[layer][0].numpy()) <= SAME_PASS, layer


@pytest.mark.parametrize("name", CAUSAL_CONFIGS)
def test_the_last_residual_is_taken_before_the_final_norm(name):
    """transformers' last hidden state is already normalized: it equals the model's norm of our residual."""
    tiny = case(name)
    norm = tiny.module.get_submodule(FINAL_NORMS[type(tiny.module).__name__])
    for prompt in tiny.encoded:
        trace = recorded(name, "float32", batch_size=1)[prompt.prompt.name]
        last = reported(name, "float32", prompt, output_hidden_states=True).hidden_states[-1][0]
        ours = torch.from_numpy(trace.residual(trace.n_layers))
        assert relative(ours.numpy(), last.numpy()) > 0.01
        with torch.no_grad():
            assert relative(norm(ours).numpy(), last.numpy()) <= SAME_PASS


@pytest.mark.parametrize("name", MASKED_CONFIGS)
def test_without_a_final_norm_the_last_residual_is_the_last_hidden_state(name):
    for prompt in case(name).encoded:
        trace = recorded(name, "float32", batch_size=1)[prompt.prompt.name]
        last = reported(name, "float32", prompt, output_hidden_states=True).hidden_states[-1][0]
        assert relative(trace.residual(trace.n_layers), last.numpy()) <= SAME_PASS


FINAL_NORMS = {
    "GPT2LMHeadModel": "transformer.ln_f",
    "LlamaForCausalLM": "model.norm",
    "GPTNeoXForCausalLM": "gpt_neox.final_layer_norm",
    "GPTNeoForCausalLM": "transformer.ln_f",
    "GPTJForCausalLM": "transformer.ln_f",
    "FalconForCausalLM": "transformer.ln_f",
    "BloomForCausalLM": "transformer.ln_f",
    "OPTForCausalLM": "model.decoder.final_layer_norm",
    "Gemma2ForCausalLM": "model.norm",
    "CohereForCausalLM": "model.norm",
    "GraniteForCausalLM": "model.norm",
    "Phi3ForCausalLM": "model.norm",
    "Qwen3ForCausalLM": "model.norm",
}


@every_name
def test_attention_entropy_is_that_of_the_models_attention(name):
    for prompt in case(name, "float64").encoded:
        attentions = reported(name, "float64", prompt, output_attentions=True).attentions
        trace = recorded(name, "float64", batch_size=1)[prompt.prompt.name]
        assert len(attentions) == trace.n_layers
        for layer, attention in enumerate(attentions):
            p = attention[0].double().numpy()
            with np.errstate(divide="ignore", invalid="ignore"):
                expected = -np.where(p > 0, p * np.log(p), 0.0).sum(axis=-1)
            found = trace.tensor("attention", layer, "entropy_nats")
            assert found.shape == (p.shape[0], trace.n_tokens)
            assert found == pytest.approx(expected, abs=METRIC["float64"])
        if task_of(name) == "causal":
            assert found[:, 0] == pytest.approx(0.0, abs=EXACT)  # the first token attends to itself alone


@every_name
def test_logits_statistics_are_those_of_the_models_logits(name):
    for prompt in case(name, "float64").encoded:
        logits = reported(name, "float64", prompt).logits[0, prompt.read_position].double().numpy()
        log_p = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
        trace = recorded(name, "float64", batch_size=1)[prompt.prompt.name]
        layer = trace.n_layers
        expected_entropy = -(np.exp(log_p) * log_p).sum()
        assert trace.tensor("logits", layer, "entropy_nats") == pytest.approx(expected_entropy, rel=METRIC["float64"])
        best = np.argsort(-log_p)[:10]
        assert trace.tensor("logits", layer, "top_ids").tolist() == best.tolist()
        assert trace.tensor("logits", layer, "top_log_probabilities") == pytest.approx(
            log_p[best], rel=METRIC["float64"]
        )
        assert trace.log_probabilities() == pytest.approx(log_p, rel=METRIC["float64"])


def test_logits_of_half_precision_are_kept_to_the_last_bit():
    """They are kept as they are computed: bfloat16 numbers, which float32 holds exactly."""
    tiny = case("llama", "bfloat16")
    for trace in record(tiny.model, tiny.encoded).values():
        kept = torch.tensor(trace.tensor("logits", trace.n_layers, "logits"))
        assert torch.equal(kept, kept.bfloat16().float())
        assert kept.shape == (97,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CAUSAL_CONFIGS)
def test_causal_loss_is_transformers_own_loss(name, dtype):
    for prompt in case(name, dtype).encoded:
        theirs = reported(name, dtype, prompt, labels=torch.tensor([prompt.ids])).loss.item()
        assert recorded(name, dtype)[prompt.prompt.name].loss_nats == pytest.approx(theirs, rel=SAME_PASS)


@pytest.mark.parametrize("name", MASKED_CONFIGS)
def test_masked_loss_is_that_of_the_answer_or_of_the_best_token(name):
    for prompt in case(name).encoded:
        found = recorded(name, "float32")[prompt.prompt.name].loss_nats
        assert found == pytest.approx(loss_of(case(name).module, question("masked", prompt)).item(), rel=SAME_PASS)
        labels = torch.full((1, len(prompt.ids)), -100)
        logits = reported(name, "float32", prompt).logits[0, prompt.read_position]
        labels[0, prompt.read_position] = logits.argmax() if prompt.answer is None else prompt.answer
        assert found == pytest.approx(reported(name, "float32", prompt, labels=labels).loss.item(), rel=SAME_PASS)
    assert {p.answer is None for p in case(name).encoded} == {True, False}


# --- what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["norms", "none"])
@pytest.mark.parametrize("name", ["gpt2", "llama_tied", "bert"])
def test_residuals_do_not_depend_on_what_is_kept_of_weight_gradients(name, kept):
    tiny = case(name)
    for prompt, trace in record(tiny.model, tiny.encoded, weight_gradients=kept).items():
        full = recorded(name, "float32")[prompt]
        for layer in range(trace.n_layers + 1):
            assert np.array_equal(trace.residual(layer), full.residual(layer))
            assert np.array_equal(trace.residual_gradient(layer), full.residual_gradient(layer))
        sites = {key.site for key in trace.tensors if key.quantity in ("input", "output_gradient", "ids")}
        assert not sites
        with pytest.raises((StoreError, KeyError)):
            trace.gradient(full.parameters[0])


def test_attention_entropies_can_be_left_out():
    trace = record(case("llama").model, case("llama").encoded[:1], attention_entropy=False)["short"]
    assert not [key for key in trace.tensors if key.site == "attention"]


@pytest.mark.parametrize(("asked", "kept"), [(1, 1), (3, 3), (1000, 97)])
def test_top_tokens_are_as_many_as_asked_for(asked, kept):
    trace = record(case("llama").model, case("llama").encoded[:1], top_k=asked)["short"]
    assert trace.tensor("logits", 3, "top_ids").shape == (kept,)
    assert (np.diff(trace.tensor("logits", 3, "top_log_probabilities")) <= 0).all()


def test_logits_can_be_left_out():
    trace = record(case("llama").model, case("llama").encoded[:1], logits=False)["short"]
    assert {key.quantity for key in trace.tensors if key.site == "logits"} == {
        "entropy_nats",
        "top_ids",
        "top_log_probabilities",
    }


def test_inputs_that_maps_share_are_kept_once():
    trace = recorded("llama", "float32")["long"]
    block = "model.layers.1"
    shared = [f"{block}.self_attn.{which}_proj" for which in "qkv"]
    assert {trace.parameter(f"{site}.weight").uses[0].input_site for site in shared} == {shared[0]}
    assert Key(shared[0], 1, "input") in trace.tensors
    assert Key(shared[1], 1, "input") not in trace.tensors


def test_recording_twice_gives_the_same_bits():
    tiny = case("llama")
    first, second = (record(tiny.model, tiny.encoded) for _ in range(2))
    for prompt, trace in first.items():
        assert all(np.array_equal(trace.tensors[k], second[prompt].tensors[k]) for k in trace.tensors)


# --- from text to tokens ---------------------------------------------------------------------------


def test_a_text_becomes_its_tokens():
    found = encode(Prompt("p", "a cat"), build_tokenizer(), "causal", 64)
    assert (found.tokens, found.read_position, found.answer) == (("a", " ", "c", "a", "t"), 4, None)


def test_a_masked_text_is_read_at_its_gap():
    found = encode(Prompt("p", "a [MASK] c", answer="b"), build_tokenizer(masked=True), "masked", 64)
    assert found.tokens == ("[CLS]", "a", " ", "[MASK]", " ", "c", "[SEP]")
    assert found.read_position == 3
    assert found.answer == build_tokenizer().convert_tokens_to_ids("b")


@pytest.mark.parametrize(
    ("text", "task", "context", "said"),
    [
        ("a", "causal", None, "at least 2 tokens"),
        ("abcdef", "causal", 5, "at most 5"),
        ("a b", "masked", None, "0 masks"),
        ("[MASK] [MASK]", "masked", None, "2 masks"),
    ],
)
def test_a_text_that_cannot_be_run_is_refused(text, task, context, said):
    with pytest.raises(PromptError, match=said):
        encode(Prompt("p", text), build_tokenizer(task == "masked"), task, context)


def test_an_answer_of_several_tokens_is_refused():
    with pytest.raises(PromptError, match="'bc' is 2 tokens"):
        encode(Prompt("p", "a [MASK]", answer="bc"), build_tokenizer(masked=True), "masked", None)


def test_the_longest_text_that_fits_is_taken():
    assert len(encode(Prompt("p", "abcde"), build_tokenizer(), "causal", 5).ids) == 5
    trace = record(case("gpt2").model, [encoded("full", range(30, 94))])["full"]  # n_positions is 64
    assert trace.n_tokens == 64
