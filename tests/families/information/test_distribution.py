"""Distributions: identities, ranges and degenerate input, against plain sums."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.families.information import distribution as of

TOLERANCE = 1e-9
rows = st.integers(2, 40).flatmap(lambda n: st.lists(st.floats(-300, 300, allow_nan=False), min_size=n, max_size=n))
temperatures = st.floats(0.05, 20)


def log_p_of(logits, temperature=1.0):
    return of.log_probabilities(torch.tensor([logits], dtype=torch.float64), temperature)


@settings(deadline=None)
@given(rows, temperatures)
def test_entropy_and_kl_from_uniform_sum_to_ln_v(logits, temperature):
    entropy = of.entropy_nats(log_p_of(logits, temperature))
    uniform = of.kl_uniform_nats(entropy, len(logits))
    assert float(entropy + uniform) == pytest.approx(math.log(len(logits)), abs=TOLERANCE)
    assert 0 <= float(entropy) <= math.log(len(logits)) + TOLERANCE
    assert float(of.perplexity(entropy)) == pytest.approx(math.exp(float(entropy)), rel=TOLERANCE)


@settings(deadline=None)
@given(rows, temperatures)
def test_margin_is_that_of_the_logits_over_the_temperature(logits, temperature):
    largest, second = sorted(logits, reverse=True)[:2]
    found = float(of.margin(log_p_of(logits, temperature)))
    assert found >= 0
    assert found == pytest.approx((largest - second) / temperature, abs=1e-6)


@settings(deadline=None)
@given(rows, st.data())
def test_kl_is_not_negative_and_zero_for_equals(logits, data):
    other = data.draw(st.lists(st.floats(-300, 300), min_size=len(logits), max_size=len(logits)))
    p, q = log_p_of(logits), log_p_of(other)
    assert float(of.kl_nats(p, q)) >= 0
    assert float(of.kl_nats(p, p)) == 0
    plain = sum(math.exp(a) * (a - b) for a, b in zip(p[0].tolist(), q[0].tolist(), strict=True))
    assert float(of.kl_nats(p, q)) == pytest.approx(plain, abs=1e-7, rel=TOLERANCE)


@settings(deadline=None)
@given(rows, st.data())
def test_rank_counts_what_is_above(logits, data):
    token = data.draw(st.integers(0, len(logits) - 1))
    log_p = log_p_of(logits)
    assert float(of.rank_of(log_p, token)) == 1 + int((log_p[0] > log_p[0, token]).sum())
    assert float(of.rank_of(log_p, int(log_p.argmax()))) == 1


@settings(deadline=None)
@given(rows, st.data())
def test_surprisal_is_minus_the_log_probability(logits, data):
    token = data.draw(st.integers(0, len(logits) - 1))
    log_p = log_p_of(logits)
    found = of.surprisal_nats(log_p.repeat(2, 1), torch.tensor([token, -1]))
    assert float(found[0]) == -float(log_p[0, token]) >= 0
    assert math.isnan(float(found[1]))


def test_probabilities_that_underflow_do_no_harm():
    log_p = log_p_of([0.0, -2000.0, -math.inf])
    assert float(of.entropy_nats(log_p)) == 0
    assert float(of.kl_nats(log_p, log_p_of([0.0, 0.0, -math.inf]))) == pytest.approx(math.log(2))
    assert float(of.kl_nats(log_p_of([0.0, 0.0]), log_p_of([0.0, -math.inf]))) == math.inf


def test_small_entropies_keep_their_digits():
    gap = 40.0
    q = math.exp(-gap) / (1 + math.exp(-gap))
    expected = q * gap + math.log1p(math.exp(-gap))
    assert float(of.entropy_nats(log_p_of([gap, 0.0]))) == pytest.approx(expected, rel=1e-12)


def test_nan_logits_give_nan_everywhere():
    log_p = log_p_of([math.nan, 1.0, 2.0])
    values = [of.entropy_nats(log_p), of.margin(log_p), of.kl_nats(log_p, log_p), of.rank_of(log_p, 1)]
    assert all(math.isnan(float(value)) for value in values)


def test_a_margin_needs_two_entries():
    with pytest.raises(ValueError, match="two"):
        of.margin(log_p_of([1.0]))


def test_half_precision_logits_are_widened_first():
    logits = torch.tensor([[30.0, 30.0, 0.0]], dtype=torch.bfloat16)
    assert of.log_probabilities(logits).dtype == torch.float64
    assert float(of.entropy_nats(of.log_probabilities(logits))) == pytest.approx(math.log(2), abs=1e-9)


def test_the_uniform_and_the_certain_distribution_have_the_extreme_values():
    assert float(of.entropy_nats(log_p_of([3.0] * 7))) == pytest.approx(np.log(7), abs=1e-14)
    assert float(of.kl_uniform_nats(of.entropy_nats(log_p_of([3.0] * 7)), 7)) == pytest.approx(0, abs=1e-14)


@settings(deadline=None)
@given(rows, temperatures, st.data())
def test_summaries_equal_the_plain_functions(logits, temperature, data):
    target = data.draw(st.integers(-1, len(logits) - 1))
    logits, targets = torch.tensor([logits]), torch.tensor([target])
    before = logits.clone()
    found, log_p = of.summaries(logits, targets, temperature), of.log_probabilities(logits, temperature)
    assert torch.equal(logits, before)
    assert float(found.entropy_nats) == pytest.approx(float(of.entropy_nats(log_p)), abs=TOLERANCE)
    assert float(found.surprisal_nats) == pytest.approx(
        float(of.surprisal_nats(log_p, targets)), abs=TOLERANCE, nan_ok=True
    )
    assert float(log_p[0, found.top_ids]) == float(log_p.max())  # logits that differ by less than rounding tie
    assert float(found.top_probabilities) == pytest.approx(float(log_p.max().exp()), rel=TOLERANCE)


def test_summaries_of_degenerate_logits():
    logits = torch.tensor([[0.0, -math.inf, 0.0], [math.nan, 0.0, 0.0], [-math.inf] * 3], dtype=torch.float64)
    found = of.summaries(logits, torch.tensor([1, 0, 0]))
    assert float(found.entropy_nats[0]) == pytest.approx(math.log(2))
    assert float(found.surprisal_nats[0]) == math.inf
    assert found.entropy_nats[1:].isnan().all()
    assert found.surprisal_nats[1:].isnan().all()
