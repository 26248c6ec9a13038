"""First-order prediction of a gradient step, against real steps of a tiny model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from cases import case, question
from cases import record as record_all
from internal_physics.api.kernels import first_order_change, kernel
from internal_physics.ground.errors import ConfigError, PromptError, StoreError
from oracles import loss_of, trainable

STEP_SIZES = (1e-4, 5e-5, 2.5e-5)


@pytest.fixture(scope="module")
def tiny():
    """GPT-2: tied, and float64 throughout, where llama's norms compute in float32."""
    return case("gpt2", "float64")


def in_order(tiny, by_name):
    return [by_name[prompt.prompt.name] for prompt in tiny.encoded]


@pytest.fixture(scope="module")
def traces(tiny):
    return in_order(tiny, record_all(tiny.model, tiny.encoded))


def losses_after_step(tiny, recorded, q, step_size):
    """The losses of all prompts after one step of plain gradient descent on prompt q, on the recorded weights."""
    parameters = {name: p for name, p in tiny.module.named_parameters() if name in recorded}
    before = {name: p.detach().clone() for name, p in parameters.items()}
    with trainable(tiny.module):
        loss_of(tiny.module, question("causal", tiny.encoded[q])).backward()
        gradients = {name: p.grad.clone() for name, p in parameters.items()}
    with torch.no_grad():
        for name, p in parameters.items():
            p -= step_size * gradients[name]
        losses = [float(loss_of(tiny.module, question("causal", prompt))) for prompt in tiny.encoded]
        for name, p in parameters.items():
            p.copy_(before[name])
    return np.array(losses)


@pytest.mark.parametrize("q", [0, 2])
def test_the_error_of_the_prediction_falls_with_the_square_of_the_step(tiny, traces, q):
    errors = []
    for step_size in STEP_SIZES:
        found = first_order_change(traces, traces[q].info.prompt, step_size)
        true = losses_after_step(tiny, set(traces[0].parameters), q, step_size) - found["loss_nats"].to_numpy()
        errors.append(np.abs(found["change_nats"].to_numpy() - true))
    assert found["change_nats"].iat[q] < 0
    assert errors[-1].max() < 0.05 * np.abs(found["change_nats"]).max(), "the prediction is off"
    sizes = np.linalg.norm(errors, axis=1)
    ratios = sizes[:-1] / sizes[1:]
    assert np.all((ratios > 3.8) & (ratios < 4.2)), ratios  # halving the step quarters the error, up to third order


def test_the_kernel_of_traces_has_cosines_and_is_exact(traces):
    found = kernel(traces)
    assert np.diagonal(found.cosines()) == pytest.approx(1)
    assert not found.standard_error().any()
    assert found.cosines(layer=1, kind="up").shape == (len(traces), len(traces))


def test_sketches_give_an_estimate_with_standard_errors(tiny, traces):
    sketched = in_order(tiny, record_all(tiny.model, tiny.encoded, weight_gradients="sketch"))
    found = first_order_change(sketched, "long", 1e-3)
    exact = first_order_change(traces, "long", 1e-3)
    off = np.abs(found["change_nats"] - exact["change_nats"])
    assert (off <= 6 * found["standard_error_nats"] + 1e-12).all()
    assert exact["standard_error_nats"].eq(0).all()


def test_mistakes_are_said_in_words(traces):
    with pytest.raises(PromptError, match="no traces have the name 'lon'") as error:
        first_order_change(traces, "lon", 1e-3)
    assert "long" in error.value.todo
    with pytest.raises(PromptError, match="2 traces have the name"):
        first_order_change([*traces, traces[0]], traces[0].info.prompt, 1e-3)
    for size in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="step_size is"):
            first_order_change(traces, "long", size)
    info = replace(traces[0].info, weight_gradients="norms")
    with pytest.raises(StoreError, match="weight_gradients: norms"):
        kernel([type(traces[0])(info, traces[0].tensors)])
    of_logits = replace(traces[0].info, target="logit", target_token=" a")
    with pytest.raises(StoreError, match="those of the logit of ' a'"):
        first_order_change([type(traces[0])(of_logits, traces[0].tensors)], of_logits.prompt, 1e-3)


def test_traces_may_come_from_a_generator_and_none_or_a_single_one_are_refused(traces):
    q = traces[0].info.prompt
    expected = first_order_change(traces, q, 1e-3)
    pd.testing.assert_frame_equal(first_order_change((trace for trace in traces), q, 1e-3), expected)
    for given, found in (([], "found no traces"), (traces[0], "found one Trace")):
        with pytest.raises(StoreError, match=f"kernel: {found}"):
            kernel(given)
        with pytest.raises(StoreError, match=f"first_order_change: {found}"):
            first_order_change(given, q, 1e-3)


def test_a_step_size_that_is_no_number_is_refused(traces):
    with pytest.raises(ConfigError, match="step_size is 'small'"):
        first_order_change(traces, traces[0].info.prompt, "small")
