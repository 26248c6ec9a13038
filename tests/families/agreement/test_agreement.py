"""Agreement of two records: numbers computed by hand, properties, and records that cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest
from hand_traces import N_LAYERS, UP, make_trace
from internal_physics.families.agreement.agreement import (
    OF_GRADIENTS,
    OF_PREDICTIONS,
    OF_RESIDUALS,
    OF_WEIGHTS,
    QUANTITIES,
    agreement_rows,
)
from internal_physics.records.trace import Key, Trace


def changed(trace, change=None, **info):
    """The same record with some tensors (key → array) and facts changed."""
    return Trace(replace(trace.info, **info), {**trace.tensors, **(change or {})})


def with_prediction(trace, ids, probabilities):
    log = np.log(np.array(probabilities, np.float32))
    return changed(
        trace,
        {
            Key("logits", N_LAYERS, "top_ids"): np.array(ids, np.float32),
            Key("logits", N_LAYERS, "top_log_probabilities"): log,
        },
    )


def with_logits(trace, logits):
    """A whole prediction, with the list of its three most probable tokens."""
    logits = np.array(logits)
    log_p = logits - np.logaddexp.reduce(logits)
    best = np.argsort(-log_p)[:3]
    listed = with_prediction(trace, best, np.exp(log_p[best]))
    return changed(listed, {Key("logits", N_LAYERS, "logits"): logits})


def scaled(trace, factor):
    """Residuals and all gradients times a factor; a power of two, so that nothing is rounded."""
    tensors = {
        key: array * factor if key.quantity in ("activation", "gradient", "output_gradient") else array
        for key, array in trace.tensors.items()
    }
    return Trace(trace.info, tensors)


def values(rows, quantity):
    return np.array([row.value for row in rows if row.quantity == quantity])


def only(rows, **wanted):
    (row,) = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return row


def test_numbers_worked_out_by_hand():
    reference = changed(make_trace(), {Key("residual", 1, "activation"): np.array([[4.0, 0, 0, 3]])})
    own = changed(reference, {Key("residual", 1, "activation"): np.array([[3.0, 0, 0, 4]])})
    rows = agreement_rows(own, reference)
    assert only(rows, quantity="residual_cosine", layer=1).value == pytest.approx(24 / 25, abs=1e-15)
    assert only(rows, quantity="residual_distance", layer=1).value == pytest.approx(np.sqrt(2) / 5, abs=1e-15)
    assert only(rows, quantity="residual_cosine", layer=0).value == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_record_agrees_fully_with_itself(dtype):
    trace = with_logits(make_trace(dtype=dtype), np.array([1.0, 3.0, -2.0, 0.5], dtype))
    rows = agreement_rows(trace, trace)
    assert {row.status for row in rows} == {"ok"}
    for quantity in (OF_RESIDUALS[0], OF_GRADIENTS[0], OF_WEIGHTS[0]):
        np.testing.assert_allclose(values(rows, quantity), 1, rtol=0, atol=1e-15)
    for quantity in (OF_RESIDUALS[1], OF_GRADIENTS[1]):
        np.testing.assert_array_equal(values(rows, quantity), 0)
    # The norm of a difference from three inner products has half of the digits.
    np.testing.assert_allclose(values(rows, OF_WEIGHTS[1]), 0, rtol=0, atol=1e-7)
    assert values(rows, "kl_nats") == [0]
    assert values(rows, "best_token_agrees") == [1]
    assert "kl_at_least_nats" not in {row.quantity for row in rows}


@pytest.mark.parametrize("factor", [2.0**-40, 4.0, 2.0**40])
def test_a_cosine_does_not_depend_on_the_scale_and_a_distance_does(factor):
    own, reference = make_trace(seed=1), make_trace(seed=2)
    before, after = (agreement_rows(trace, reference) for trace in (own, scaled(own, factor)))
    for cosine, distance in (OF_RESIDUALS, OF_GRADIENTS, OF_WEIGHTS):
        np.testing.assert_allclose(values(after, cosine), values(before, cosine), rtol=1e-12)
        assert (values(after, distance) != values(before, distance)).all()
    opposite = agreement_rows(scaled(reference, -1.0), reference)
    np.testing.assert_allclose(values(opposite, "gradient_cosine"), -1, rtol=1e-12)
    np.testing.assert_allclose(values(opposite, "gradient_distance"), 2, rtol=1e-12)


def test_cosine_and_distance_are_those_of_the_law_of_cosines():
    """‖x − r‖² = ‖x‖² + ‖r‖² − 2⟨x, r⟩, with norms from the tensors themselves."""
    own, reference = make_trace(seed=1), make_trace(seed=2)
    rows = agreement_rows(own, reference)
    for layer in range(N_LAYERS + 1):
        ratio = np.linalg.norm(own.residual(layer)) / np.linalg.norm(reference.residual(layer))
        cosine = only(rows, quantity="residual_cosine", layer=layer).value
        distance = only(rows, quantity="residual_distance", layer=layer).value
        assert distance**2 == pytest.approx(1 + ratio**2 - 2 * ratio * cosine, rel=1e-6)


@pytest.mark.parametrize(
    ("zero_in", "cosine_status", "distance_status"),
    [
        ("own", "zero in the model", "ok"),
        ("reference", "zero in the reference", "zero in the reference"),
        ("both", "zero in the model and the reference", "zero in the reference"),
    ],
)
def test_a_zero_vector_has_a_status_and_no_direction(zero_in, cosine_status, distance_status):
    own, reference = make_trace(seed=1), make_trace(seed=2)
    nothing = {Key("residual", 2, "gradient"): np.zeros((3, 4), np.float32)}
    own = changed(own, nothing) if zero_in != "reference" else own
    reference = changed(reference, nothing) if zero_in != "own" else reference
    rows = agreement_rows(own, reference)
    cosine, distance = (only(rows, quantity=quantity, layer=2) for quantity in OF_GRADIENTS)
    assert (cosine.status, distance.status) == (cosine_status, distance_status)
    assert np.isnan(cosine.value)
    assert distance.value == 1 if distance_status == "ok" else np.isnan(distance.value)
    assert {row.status for row in rows if row.layer == 1} == {"ok"}


def test_numbers_that_are_not_finite_have_a_status():
    own = changed(make_trace(seed=1), {Key("residual", 0, "activation"): np.full((3, 4), np.inf, np.float32)})
    rows = agreement_rows(own, make_trace(seed=2))
    for quantity in OF_RESIDUALS:
        assert only(rows, quantity=quantity, layer=0).status == "not finite"
        assert only(rows, quantity=quantity, layer=1).status == "ok"


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (("factors", "norms"), "norms of weight gradients have no direction"),
        (("norms", "norms"), "norms of weight gradients have no direction"),
        (("norms", "none"), "no weight gradients are recorded"),
        (("factors", "sketch"), "sketches of weight gradients only estimate inner products"),
        (("none", "factors"), "no weight gradients are recorded"),
    ],
)
def test_without_factors_in_both_records_weights_have_a_status_instead(kept, words):
    own, reference = (make_trace(keep=keep, seed=seed) for seed, keep in enumerate(kept))
    rows = [row for row in agreement_rows(own, reference) if row.quantity in OF_WEIGHTS]
    assert [row.quantity for row in rows] == list(OF_WEIGHTS)
    for row in rows:
        assert row.status == f"{words}: weight_gradients: factors keeps what is needed"
        assert np.isnan(row.value)
        assert row.layer is row.parameter is row.kind is None


def test_a_weight_that_only_one_has_or_that_has_another_shape_is_named_with_the_reason():
    whole = make_trace()
    less = changed(make_trace(seed=1), parameters=tuple(p for p in whole.info.parameters if p != UP))
    narrow = changed(
        make_trace(seed=1),
        {Key("up", 0, "output_gradient"): np.ones((3, 5))},
        parameters=tuple(replace(p, shape=(5, 4)) if p == UP else p for p in whole.info.parameters),
    )
    for own, reference, why in (
        (less, whole, "the model has no weight of this name"),
        (whole, less, "the reference has no weight of this name"),
        (narrow, whole, "the weight has another shape in the reference"),
    ):
        rows = [row for row in agreement_rows(own, reference) if row.quantity in OF_WEIGHTS]
        assert {row.status for row in rows if row.parameter == "up.weight"} == {why}
        assert {row.status for row in rows if row.parameter != "up.weight"} == {"ok"}


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"n_layers": 5}, "not comparable: 5 blocks, the reference has 2"),
        ({"width": 8}, "not comparable: width 8, the reference has 4"),
        ({"token_ids": (0, 1, 3)}, "not comparable: other tokens than the reference"),
    ],
)
def test_records_that_cannot_be_compared_give_every_quantity_once_with_the_reason(info, why):
    rows = agreement_rows(changed(make_trace(), **info), make_trace())
    assert [row.quantity for row in rows] == list(QUANTITIES)
    assert {row.status for row in rows} == {why}
    assert np.isnan([row.value for row in rows]).all()


def test_a_record_without_a_prediction_says_so():
    rows = [row for row in agreement_rows(make_trace(), make_trace()) if row.quantity in OF_PREDICTIONS]
    assert {row.status for row in rows} == {"no prediction is recorded"}


def test_the_divergence_is_that_of_the_whole_predictions():
    """Worked out by hand: p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2), KL = (1/2 − 1/4) ln 2; a constant is no matter."""
    reference = with_logits(make_trace(), np.log([2.0, 1.0, 1.0]) + 50)
    own = with_logits(make_trace(), np.log([1.0, 1.0, 2.0]))
    assert values(agreement_rows(own, reference), "kl_nats") == pytest.approx([np.log(2) / 4], rel=1e-14)


@pytest.mark.parametrize("without", ["own", "reference", "both"])
def test_without_the_logits_of_both_records_the_bound_has_a_name_of_its_own(without):
    reference, own = (with_logits(make_trace(), np.log(p)) for p in ([0.5, 0.3, 0.2], [0.3, 0.5, 0.2]))
    reference = with_prediction(make_trace(), [0, 1, 2], [0.5, 0.3, 0.2]) if without != "own" else reference
    own = with_prediction(make_trace(), [1, 0, 2], [0.5, 0.3, 0.2]) if without != "reference" else own
    rows = agreement_rows(own, reference)
    exact, bound = (only(rows, quantity=quantity) for quantity in ("kl_nats", "kl_at_least_nats"))
    assert np.isnan(exact.value)
    assert exact.status == "no logits are recorded: record.logits: true keeps what is needed"
    assert (bound.status, bound.value) == ("ok", pytest.approx(0.2 * np.log(0.5 / 0.3), rel=1e-6))


def test_vocabularies_of_two_sizes_have_no_divergence():
    rows = agreement_rows(*(with_logits(make_trace(), np.zeros(n)) for n in (5, 4)))
    row = only(rows, quantity="kl_nats")
    assert np.isnan(row.value)
    assert row.status == "not comparable: 5 tokens in the vocabulary, the reference has 4"


@pytest.mark.parametrize(("broken", "value"), [(np.nan, np.nan), (np.inf, np.nan), (-np.inf, np.inf)])
def test_a_divergence_that_is_not_finite_has_a_status(broken, value):
    """NaN and overflow give no number; a token that the model excludes and the reference does not, an infinite one."""
    own, reference = with_logits(make_trace(), [0.0, 1.0, 2.0]), with_logits(make_trace(), [0.0, 1.0, 2.0])
    own = changed(own, {Key("logits", N_LAYERS, "logits"): np.array([broken, 1.0, 2.0])})
    row = only(agreement_rows(own, reference), quantity="kl_nats")
    assert row.status == "not finite"
    np.testing.assert_equal(row.value, value)


def test_predictions_agree_in_their_best_token_or_not():
    reference = with_prediction(make_trace(), [3, 1, 4], [0.5, 0.3, 0.1])
    other = with_prediction(make_trace(), [1, 3, 4], [0.5, 0.3, 0.1])
    rows = agreement_rows(other, reference)
    assert values(rows, "best_token_agrees") == [0]
    assert values(rows, "kl_at_least_nats") == pytest.approx([0.2 * np.log(0.5 / 0.3)], rel=1e-6)
