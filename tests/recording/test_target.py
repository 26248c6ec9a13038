"""record.target: gradients of the logit or the log-probability of a token, instead of those of the loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import case, question, record, recorded, relative, worst_difference
from internal_physics.config.prompts import Prompt
from internal_physics.families.agreement.agreement import agreement_rows
from internal_physics.families.gradient_flow.isf import isf
from internal_physics.families.gradient_flow.scores import ec, isc_rows
from internal_physics.families.scores.tables import PROMPTS
from internal_physics.ground.errors import ConfigError, PromptError, StoreError
from internal_physics.models.loading import wrap_model
from internal_physics.models.stream import hidden_state
from internal_physics.recording.encoding import encode_prompts
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.target import aim_of
from internal_physics.records.store import read_trace, write_trace
from internal_physics.records.targets import target_in_words
from oracles import loss_of, trainable
from steered import V, added
from tiny_models import build_model, build_tokenizer, task_of
from tolerances import BATCHED

NAMES = ("gpt2", "llama", "gpt_neox", "falcon", "bert")  # falcon's blocks return tuples, bert is masked
TARGETS = ("logit", "log_probability")
DENSE = 1e-8  # float64: the factors of a sum of products against its dense gradient, over three blocks
every_case = pytest.mark.parametrize(("name", "target"), [(n, t) for n in NAMES for t in TARGETS])


def scalar_of(module, prompt, target):
    """The target of one prompt, alone, from the model's own logits; and its token."""
    logits = module(torch.tensor([prompt.ids])).logits[0, prompt.read_position]
    token = int(logits.argmax()) if prompt.answer is None else prompt.answer
    return (logits if target == "logit" else logits.log_softmax(-1))[token], token


@every_case
def test_gradients_are_those_of_dense_autograd(name, target):
    tiny = case(name, "float64")
    traces = record(tiny.model, tiny.encoded, target=target)
    for prompt in tiny.encoded:
        trace = traces[prompt.prompt.name]
        with trainable(tiny.module):
            value, token = scalar_of(tiny.module, prompt, target)
            value.backward()
            found = {n: p.grad.numpy() for n, p in tiny.module.named_parameters() if p.ndim == 2 and p.grad is not None}
        assert (trace.target_value, trace.info.target_id) == (pytest.approx(float(value.detach()), rel=DENSE), token)
        for parameter, dense in found.items():
            assert relative(trace.gradient(parameter).dense(), dense) <= DENSE, parameter


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_and_the_prediction_are_those_of_a_record_of_the_loss(name):
    """Only gradients change."""
    of_loss, tiny = recorded(name, "float64"), case(name, "float64")
    for prompt, trace in record(tiny.model, tiny.encoded, target="logit").items():
        assert trace.loss_nats == of_loss[prompt].loss_nats
        for key, tensor in trace.tensors.items():
            if "gradient" not in key.quantity:
                assert np.array_equal(tensor, of_loss[prompt].tensors[key], equal_nan=True), key
        assert relative(trace.residual_gradient(0), of_loss[prompt].residual_gradient(0)) > 0.1
        assert (of_loss[prompt].info.target, of_loss[prompt].target_value) == ("loss", of_loss[prompt].loss_nats)
    with torch.no_grad():
        expected = float(loss_of(tiny.module, question(task_of(name), tiny.encoded[0])))
    assert of_loss[tiny.encoded[0].prompt.name].target_value == pytest.approx(expected, rel=1e-9)


@every_case
def test_a_prompt_in_a_batch_equals_the_prompt_alone(name, target):
    tiny = case(name, "float64")
    alone, batched = (record(tiny.model, tiny.encoded, target=target, batch_size=n) for n in (1, 16))
    for prompt, trace in batched.items():
        assert worst_difference(trace, alone[prompt])[0] <= BATCHED["float64"], prompt
        assert trace.info.target_id == alone[prompt].info.target_id


@pytest.mark.parametrize("name", NAMES)
def test_norms_and_recomputed_blocks_give_the_same(name):
    tiny = case(name, "float64")
    factors = record(tiny.model, tiny.encoded, target="logit")
    norms = record(tiny.model, tiny.encoded, target="logit", weight_gradients="norms", recompute=True)
    for prompt, trace in factors.items():
        for parameter in trace.parameters:
            expected = trace.gradient_norm(parameter)
            assert norms[prompt].gradient_norm(parameter) == pytest.approx(expected, rel=1e-7, abs=1e-12), parameter


def test_steering_reaches_the_target():
    """The oracle adds v to the output of block 0 by a plain hook, and asks autograd for the gradient there."""
    tiny, caught = case("llama", "float64"), []
    prompt = tiny.encoded[2]
    options = RecordOptions(target="log_probability")
    (trace,) = record_batches(tiny.model, [prompt], options, added(1, V))

    def hook(_module, _args, output):
        caught.append((hidden_state(output) + torch.from_numpy(V)).detach().requires_grad_())
        return caught[0]

    handle = tiny.model.anatomy.blocks(tiny.module)[0].register_forward_hook(hook)
    value, token = scalar_of(tiny.module, prompt, "log_probability")
    handle.remove()
    (gradient,) = torch.autograd.grad(value, caught[0])
    assert trace.info.target_id == token
    assert relative(trace.residual_gradient(1), gradient[0].numpy()) <= DENSE


def test_only_the_read_position_has_a_gradient_after_the_last_block():
    tiny = case("gpt2", "float64")
    traces = record(tiny.model, tiny.encoded, target="logit")
    for prompt in tiny.encoded:
        last = traces[prompt.prompt.name].residual_gradient(3)
        assert np.flatnonzero(np.abs(last).sum(axis=1)).tolist() == [prompt.read_position]


# --- the token -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lettered():
    """A model with a tokenizer of one token per character."""
    return wrap_model(build_model("gpt2", torch.float64), build_tokenizer(), "causal")


def test_a_named_token_is_that_of_every_prompt(lettered):
    prompts = encode_prompts(lettered, [Prompt("a", "the cat", answer="x"), Prompt("b", "on a mat")])
    token = lettered.tokenizer("e", add_special_tokens=False)["input_ids"][0]
    for trace in record(lettered, prompts, target="logit", target_token="e").values():
        assert (trace.info.target_id, trace.info.target_token) == (token, "e")
        assert trace.target_value == pytest.approx(float(trace.tensor("logits", 3, "logits")[token]), rel=1e-12)
        assert target_in_words(trace.info) == "logit of 'e'"


def test_without_a_named_token_it_is_the_answer_or_the_models_own(lettered):
    prompts = encode_prompts(lettered, [Prompt("a", "the cat ", answer="xyz"), Prompt("b", "on a mat")])
    traces = record(lettered, prompts, target="log_probability")
    assert traces["a"].info.target_id == traces["a"].info.answer_id is not None
    assert traces["b"].info.target_id == traces["b"].tensor("logits", 3, "top_ids")[0]
    assert traces["b"].target_value == pytest.approx(traces["b"].tensor("logits", 3, "top_log_probabilities")[0])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"target": "logit", "target_token": "ab"}, r"'ab' is not one token of this model but 'a' \+ 'b'"),
        ({"target": "logit", "target_token": "€"}, "'€' is not one token of this model"),
        ({"target_token": "a"}, "target_token 'a' and target: loss"),
    ],
)
def test_a_token_that_no_target_can_use_is_refused_before_the_first_pass(lettered, options, what):
    with pytest.raises(ConfigError, match=what) as refused:
        aim_of(lettered, RecordOptions(**options))
    assert refused.value.where == "record → target_token"


def test_a_token_needs_a_tokenizer():
    with pytest.raises(ConfigError, match="the model has no tokenizer"):
        aim_of(case("gpt2", "float64").model, RecordOptions(target="logit", target_token="a"))


# --- what is made of it ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_each_target():
    tiny = case("gpt2", "float64")
    return {t: list(record(tiny.model, tiny.encoded, target=t).values()) for t in ("loss", *TARGETS)}


def test_a_file_keeps_the_target(of_each_target, tmp_path):
    for target, (trace, *_) in of_each_target.items():
        write_trace(trace, tmp_path / "trace.parquet")
        read = read_trace(tmp_path / "trace.parquet")
        assert (read.info, read.target_value) == (trace.info, trace.target_value)
        assert read.info.target == target


def test_isc_is_of_the_loss_alone(of_each_target):
    for target, (trace, *_) in of_each_target.items():
        score = isc_rows(trace)[0]
        assert np.isfinite(score.value) == (target == "loss") == (score.status == "ok")
        assert np.isfinite(ec(trace))


def test_sets_of_several_targets_are_refused(of_each_target):
    mixed = [*of_each_target["loss"][:2], *of_each_target["logit"]]
    with pytest.raises(StoreError, match="of its loss, those of 'short' of its logit"):
        isf(mixed)


def test_gradients_of_other_targets_are_not_compared(of_each_target):
    logit, log_probability = of_each_target["logit"][0], of_each_target["log_probability"][0]
    rows = agreement_rows(logit, log_probability)
    gradients = [row for row in rows if "gradient" in row.quantity]
    assert {row.status.startswith("these are gradients of the logit of token") for row in gradients} == {True}
    assert np.isnan([row.value for row in gradients]).all()
    assert all(row.status == "ok" for row in rows if row.quantity.startswith("residual"))
    assert all(row.status == "ok" for row in agreement_rows(logit, logit) if row.quantity == "gradient_cosine")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("with_tokenizer", [True, False])
def test_a_prompt_of_one_token_has_a_target_but_no_loss(tmp_path, target, with_tokenizer):
    tiny = case("llama", "float64")
    model = replace(tiny.model, tokenizer=build_tokenizer() if with_tokenizer else None)
    prompts = [Prompt("one", "7", ids="7"), Prompt("two", "7 9 11", ids="7 9 11")]
    with pytest.raises(PromptError, match="no next token to predict"):
        encode_prompts(model, prompts)
    found = encode_prompts(model, prompts, needs_loss=False)
    options = RecordOptions(target=target, attention_entropy=True)
    traces = {trace.info.prompt: trace for trace in record_batches(model, found, options)}
    one = traces["one"]
    with trainable(tiny.module):
        value, token = scalar_of(tiny.module, found[0], target)
        value.backward()
        right = {n: p.grad.numpy().copy() for n, p in tiny.module.named_parameters() if p.grad is not None}
    assert (one.target_value, one.info.target_id) == (pytest.approx(value.item(), rel=DENSE), token)
    assert np.isnan(one.loss_nats)
    for parameter in one.parameters:  # nothing but a zero comes to what chooses among one token
        bound = DENSE * max(np.linalg.norm(right[parameter]), 1e-6)
        assert np.linalg.norm(one.gradient(parameter).dense() - right[parameter]) <= bound, parameter
    assert np.isfinite(ec(one))
    write_trace(one, tmp_path / "one.safetensors")
    assert np.isnan(read_trace(tmp_path / "one.safetensors").loss_nats)


def test_the_table_of_prompts_has_room_for_one_token():
    assert PROMPTS.columns["n_tokens"].low == 1
