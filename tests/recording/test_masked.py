"""A masked model that has learnt something, recorded and measured like a causal one."""

import numpy as np
import pytest
import torch
from internal_physics.config.generate import generate, read_grammar
from internal_physics.config.prompts import Prompt
from internal_physics.families.gradient_flow.flow import gradient_flow
from internal_physics.families.information.lens import lens
from internal_physics.families.residual_gain.residual_gain import residual_gain
from internal_physics.families.thermodynamics.spectra import weight_spectra
from internal_physics.families.thermodynamics.thermodynamics import thermodynamics
from internal_physics.ground.errors import PromptError
from internal_physics.models.loading import wrap_model
from internal_physics.models.readout import Readout
from internal_physics.recording.encoding import encode
from internal_physics.recording.recorder import RecordOptions, record_batches
from internal_physics.recording.selfcheck import check_model
from tiny_models import build_tokenizer
from trained_bert import trained_bert


@pytest.fixture(scope="module")
def bert():
    found = trained_bert()
    model = check_model(wrap_model(found.model, found.tokenizer, "masked")).model
    model.labels = {"model": "bert", "condition": "baseline", "prompt_set": "gaps"}
    return model


@pytest.fixture(scope="module")
def prompts():
    """Sentences that it was not trained on (another seed, other combinations)."""
    return generate(read_grammar("everyday"), sentences=40, task="masked", seed=2)


def record(model, prompts, **options):
    encoded = [encode(p, model.tokenizer, model.task, model.context_length) for p in prompts]
    found = {t.info.prompt: t for t in record_batches(model, encoded, RecordOptions(**options))}
    return [found[p.name] for p in prompts]


def test_it_beats_the_unigram_baseline_at_the_mask(bert, prompts):
    losses = [trace.loss_nats for trace in record(bert, prompts, weight_gradients="none")]
    assert np.mean(losses) < 0.75 * trained_bert().unigram_entropy_nats


def test_loss_and_gradients_are_those_of_the_answer_at_the_mask(bert, prompts):
    (trace,) = record(bert, prompts[:1])
    tokenizer, module = bert.tokenizer, bert.module
    ids = tokenizer(prompts[0].text, return_tensors="pt")["input_ids"]
    position = int((ids[0] == tokenizer.mask_token_id).nonzero())
    answer = tokenizer.convert_tokens_to_ids(prompts[0].answer.lower())
    weight = module.bert.encoder.layer[1].output.dense.weight.requires_grad_(True)
    loss = -module(ids).logits[0, position].log_softmax(-1)[answer]
    (dense,) = torch.autograd.grad(loss, weight)
    weight.requires_grad_(False)
    assert trace.info.read_position == position
    assert trace.loss_nats == pytest.approx(float(loss.detach()), rel=1e-5)
    found = trace.gradient("bert.encoder.layer.1.output.dense.weight").dense()
    np.testing.assert_allclose(found, dense.numpy(), atol=1e-5 * float(dense.abs().max()))


def test_without_an_answer_the_loss_is_that_of_its_own_best_token(bert, prompts):
    (open_end,) = record(bert, [Prompt("p", prompts[0].text)])
    best = float(open_end.tensor("logits", 2, "top_log_probabilities")[0])
    assert open_end.loss_nats == pytest.approx(-best, rel=1e-5)


def test_batched_is_alone(bert, prompts):
    together = record(bert, prompts[:8], weight_gradients="none")
    for trace, prompt in zip(together, prompts, strict=False):
        (alone,) = record(bert, [prompt], weight_gradients="none")
        gradients = trace.residual_gradients()
        np.testing.assert_allclose(gradients, alone.residual_gradients(), atol=1e-5 * np.abs(gradients).max())


def test_gradient_flow_of_a_masked_prompt_is_complete(bert, prompts):
    flow = gradient_flow(record(bert, prompts[:1])[0])
    assert flow.first_bad_layer is None
    assert flow.relative_change.shape == (2,)


def test_gains_thermodynamics_and_the_lens_of_a_masked_prompt(bert, prompts):
    (trace,) = record(bert, prompts[:1])
    gain = residual_gain(trace)
    expected = np.linalg.norm(trace.residual(2)) / np.linalg.norm(trace.residual(1))
    assert gain.last_gain == pytest.approx(expected, rel=1e-6)
    states = thermodynamics(trace, weight_spectra(bert))
    two_dimensional = {name for name, w in bert.module.named_parameters() if w.ndim == 2}
    assert "bert.embeddings.token_type_embeddings.weight" in set(states.parameter) <= two_dimensional
    weight = dict(bert.module.named_parameters())["bert.encoder.layer.1.output.dense.weight"].detach().double()
    gradient = trace.gradient("bert.encoder.layer.1.output.dense.weight").norm()
    own = states.set_index("parameter").loc["bert.encoder.layer.1.output.dense.weight"]
    assert own.temperature == pytest.approx(float(weight.norm()) / (gradient + 1e-8), rel=1e-6)
    found = lens(trace, Readout(bert.module, bert.anatomy))
    surprisal = found.surprisal_nats[-1, trace.info.read_position]
    assert surprisal == pytest.approx(trace.loss_nats, rel=1e-5)
    assert np.isnan(np.delete(found.surprisal_nats[-1], trace.info.read_position)).all()


@pytest.mark.parametrize(
    ("text", "answer", "what"),
    [
        ("the cat sleeps under the bed.", None, "0 masks"),
        ("the [MASK] sleeps under the [MASK].", None, "2 masks"),
        ("the [MASK] sleeps.", "red cat", "the answer 'red cat' is 2 tokens"),
        ("the [MASK] sleeps.", "zebra", "the answer 'zebra' is not in the model's vocabulary"),
    ],
)
def test_a_prompt_that_a_masked_model_cannot_run_is_refused(bert, text, answer, what):
    with pytest.raises(PromptError) as error:
        encode(Prompt("p", text, answer=answer), bert.tokenizer, "masked", 32)
    assert error.value.what == what
    assert error.value.where == f"prompt 'p' ({text!r})"
    assert error.value.expected


def test_an_answer_gets_the_space_that_the_mask_swallows():
    """RoBERTa's mask includes the space before it, so the word in its place begins with one."""
    from tokenizers import AddedToken

    plain, swallowing = build_tokenizer(masked=True), build_tokenizer(masked=True)
    swallowing.add_special_tokens({"mask_token": AddedToken("[MASK]", lstrip=True, special=True)})
    prompt = Prompt("p", "a [MASK]", answer="b")
    assert encode(prompt, plain, "masked", None).answer == plain.convert_tokens_to_ids("b")
    with pytest.raises(PromptError, match="'b' is 2 tokens"):
        encode(prompt, swallowing, "masked", None)
