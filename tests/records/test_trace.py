"""Trace: tensors by key, weight gradients from the kept factors or norms, and plain errors for those not kept."""

import json

import numpy as np
import pytest
from hand_traces import N_LAYERS, N_TOKENS, N_VOCABULARY, WIDTH, make_trace
from internal_physics.ground.errors import StoreError
from internal_physics.records.info import TraceInfo
from internal_physics.records.trace import GRADIENT_NORMS, Key, Trace


def test_the_metadata_of_a_trace():
    trace = make_trace()
    assert (trace.n_tokens, trace.n_layers, trace.loss_nats) == (N_TOKENS, N_LAYERS, 1.5)
    assert trace.parameters == ("embed.weight", "up.weight", "conv.weight")
    assert repr(trace) == "Trace('é\\n text': 3 tokens, 2 layers, loss 1.5000 nats)"


def test_residuals_are_stacked_from_the_lowest():
    trace = make_trace()
    assert trace.residuals().shape == trace.residual_gradients().shape == (N_LAYERS + 1, N_TOKENS, WIDTH)
    for layer in range(N_LAYERS + 1):
        np.testing.assert_array_equal(trace.residuals()[layer], trace.residual(layer))
        np.testing.assert_array_equal(trace.residual_gradients()[layer], trace.residual_gradient(layer))
    assert not np.array_equal(trace.residual(0), trace.residual_gradient(0))


def test_a_linear_maps_gradient_is_the_sum_of_outer_products():
    trace = make_trace()
    x, delta = trace.tensor("gate", 0, "input"), trace.tensor("up", 0, "output_gradient")
    expected = sum(np.outer(delta[t].astype(float), x[t]) for t in range(N_TOKENS))
    np.testing.assert_allclose(trace.gradient("up.weight").dense(), expected, rtol=1e-12)
    assert trace.gradient_norm("up.weight") == pytest.approx(np.linalg.norm(expected), rel=1e-12)


def test_a_transposed_weight_gets_the_transposed_gradient():
    trace = make_trace()
    x, delta = trace.tensor("conv", 1, "input"), trace.tensor("conv", 1, "output_gradient")
    found = trace.gradient("conv.weight").dense()
    assert found.shape == trace.parameter("conv.weight").shape
    np.testing.assert_allclose(found, x.T.astype(float) @ delta, rtol=1e-12)


def test_an_embeddings_gradient_lies_in_the_rows_looked_up():
    trace = make_trace()
    ids, delta = trace.tensor("embed", -1, "ids"), trace.tensor("embed", -1, "output_gradient")
    expected = np.zeros((N_VOCABULARY, WIDTH))
    np.add.at(expected, ids, delta.astype(float))
    np.testing.assert_allclose(trace.gradient("embed.weight").dense(), expected, rtol=1e-12)


def test_norms_are_returned_as_they_were_kept():
    trace = make_trace(keep="norms")
    kept = trace.tensors[Key("up.weight", 0, "gradient_norm")]
    assert trace.gradient_norm("up.weight") == float(kept)


@pytest.mark.parametrize("keep", ["sketch", "norms", "none"])
def test_factors_that_were_not_kept_are_refused_with_what_to_set(keep):
    with pytest.raises(StoreError) as error:
        make_trace("my_prompt", keep=keep).gradient("up.weight")
    assert error.value.what == f"the record of 'my_prompt' keeps weight_gradients: {keep}, not factors"
    assert "weight_gradients: factors" in error.value.todo


def test_log_probabilities_are_those_of_the_kept_logits():
    trace = make_trace()
    logits = np.array([3.0, -np.inf, 1.0], np.float32)
    whole = Trace(trace.info, {**trace.tensors, Key("logits", N_LAYERS, "logits"): logits})
    assert whole.has_logits
    assert whole.log_probabilities().dtype == np.float64
    expected = [-np.log1p(np.exp(-2)), -np.inf, -2 - np.log1p(np.exp(-2))]
    np.testing.assert_allclose(whole.log_probabilities(), expected, rtol=1e-14)


def test_logits_that_were_not_kept_are_refused_with_what_to_set():
    assert not make_trace().has_logits
    with pytest.raises(StoreError) as error:
        make_trace("my_prompt").log_probabilities()
    assert error.value.what == "the record of 'my_prompt' keeps no logits"
    assert "record.logits: true" in error.value.expected


def test_norms_that_were_not_kept_are_refused_too():
    with pytest.raises(StoreError, match="keeps weight_gradients: none"):
        make_trace(keep="none").gradient_norm("up.weight")


def test_a_parameter_that_was_not_recorded_is_refused_with_some_that_were():
    with pytest.raises(StoreError, match=r"no recorded parameter 'nope'\n  expected: one of the 3 of trace"):
        make_trace().gradient("nope")


def test_norms_beside_sketches_are_one_array():
    trace = make_trace(keep="sketch")
    kept = [trace.gradient_norm(name) for name in trace.parameters]
    np.testing.assert_array_equal(kept, trace.tensors[GRADIENT_NORMS])


@pytest.mark.parametrize("keep", ["factors", "sketch", "norms", "none"])
def test_info_is_unchanged_after_json(keep):
    info = make_trace(keep=keep).info
    assert TraceInfo.from_json(json.loads(json.dumps(info.to_json()))) == info
