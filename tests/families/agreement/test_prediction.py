"""The divergence of two predictions, and its lower bound from lists of the most probable tokens."""

import numpy as np
import pytest
from internal_physics.families.agreement.prediction import Listed, best_token_agrees, kl_at_least, kl_nats
from scipy.optimize import minimize

ROUNDING = 1e-6  # nats; probabilities are known to about 1e-7


def listed(p, k):
    ids = np.argsort(-p, kind="stable")[:k]
    return Listed(ids, np.log(p[ids]))


def draw(rng, n, sharpness):
    logits = sharpness * rng.standard_normal(n)
    p = np.exp(logits - logits.max())
    return p / p.sum()


def kl(p, q):
    return float((p * np.log(p / q)).sum())


@pytest.mark.parametrize("sharpness", [0.01, 1.0, 30.0])
def test_the_divergence_is_that_of_its_definition(sharpness):
    rng = np.random.default_rng(3)
    p, q = (draw(rng, 500, sharpness) for _ in range(2))
    assert kl_nats(np.log(p), np.log(q)) == pytest.approx(kl(p, q), rel=1e-9)


@pytest.mark.parametrize("apart", [1e-3, 1e-6, 1e-9])
def test_a_tiny_divergence_keeps_its_digits(apart):
    """Between p and p · (1 ± ε) in halves of equal mass it is −½ ln(1 − ε²) = ε²/2 + ε⁴/4 …; a plain sum loses it."""
    p = np.full(1000, 1e-3)
    q = p * np.where(np.arange(1000) % 2, 1 + apart, 1 - apart)
    assert kl_nats(np.log(p), np.log(q)) == pytest.approx(-np.log1p(-(apart**2)) / 2, rel=1e-4)


def test_excluded_tokens():
    """A probability of 0 counts nothing in the reference; in the model alone it makes the divergence infinite."""
    with np.errstate(divide="ignore"):
        some, all_ = np.log([0.5, 0.5, 0.0]), np.log([0.25, 0.25, 0.5])
    assert kl_nats(some, all_) == pytest.approx(np.log(2), rel=1e-14)
    assert kl_nats(all_, some) == np.inf
    assert kl_nats(some, some) == 0


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_true_divergence_is_never_smaller(seed, k):
    rng = np.random.default_rng([seed, k])
    p, q = (draw(rng, 60, sharpness) for sharpness in rng.uniform(0.3, 4, size=2))
    bound = kl_at_least(listed(p, k), listed(q, k))
    assert 0 <= bound <= kl(p, q) + ROUNDING


@pytest.mark.parametrize("seed", range(10))
def test_with_the_whole_vocabulary_the_bound_is_the_divergence(seed):
    rng = np.random.default_rng(seed)
    p, q = (draw(rng, 30, 1.5) for _ in range(2))
    assert kl_at_least(listed(p, 30), listed(q, 30)) == pytest.approx(kl(p, q), abs=ROUNDING)


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_is_the_smallest_divergence_consistent_with_both_lists(seed):
    """Against a general minimizer over the unknown probabilities: q of tokens i, p of tokens j, the rest as one."""
    rng = np.random.default_rng(seed)
    p, q = (draw(rng, 25, 1.5) for _ in range(2))
    one, other = listed(p, 4), listed(q, 4)
    shared = np.intersect1d(one.ids, other.ids)
    i, j = np.setdiff1d(one.ids, shared), np.setdiff1d(other.ids, shared)
    p_rest, q_rest = 1 - p[one.ids].sum(), 1 - q[other.ids].sum()

    def rests(free):
        return np.array([p_rest - free[len(i) :].sum(), q_rest - free[: len(i)].sum()])

    def divergence(free):
        q_i, p_j, (p_other, q_other) = free[: len(i)], free[len(i) :], np.maximum(rests(free), 1e-12)
        pairs = [(p[shared], q[shared]), (p[i], q_i), (p_j, q[j]), (np.array([p_other]), np.array([q_other]))]
        return sum(kl(a, b) for a, b in pairs)

    caps = [q[other.ids[-1]]] * len(i) + [p[one.ids[-1]]] * len(j)
    start = np.minimum(caps, 0.5 * min(p_rest, q_rest) / max(len(caps), 1))
    inside = {"bounds": [(1e-9, cap) for cap in caps], "constraints": {"type": "ineq", "fun": rests}}
    found = minimize(divergence, start, method="SLSQP", options={"ftol": 1e-12, "maxiter": 1000}, **inside)
    assert kl_at_least(one, other) == pytest.approx(found.fun, rel=1e-4, abs=1e-6)


def test_lists_that_share_nothing_are_far_apart():
    one, other = np.full(20, 1e-4 / 19), np.full(20, 1e-4 / 19)
    one[0] = other[1] = 1 - 1e-4
    bound = kl_at_least(listed(one, 1), listed(other, 1))
    assert 8 < bound <= kl(one, other) + ROUNDING


def test_equal_lists_show_no_difference():
    p = draw(np.random.default_rng(0), 50, 2)
    assert kl_at_least(listed(p, 10), listed(p, 10)) == pytest.approx(0, abs=ROUNDING)


def test_the_order_of_the_lists_does_not_matter_but_for_the_best_token():
    p = np.array([0.4, 0.4, 0.2])
    first, second = Listed(np.array([0, 1]), np.log(p[:2])), Listed(np.array([1, 0]), np.log(p[:2]))
    assert not best_token_agrees(first, second)
    assert kl_at_least(first, second) == pytest.approx(0, abs=ROUNDING)


def test_a_certain_prediction_has_a_finite_bound():
    certain = Listed(np.array([3, 4]), np.array([0.0, -200.0], np.float32))
    open_one = Listed(np.array([3, 5]), np.log(np.array([0.5, 0.3])))
    assert kl_at_least(certain, open_one) == pytest.approx(np.log(2), rel=1e-3)
    assert np.isfinite(kl_at_least(open_one, certain))


def test_a_logarithm_that_is_not_finite_gives_no_bound():
    broken = Listed(np.array([1, 2]), np.array([np.nan, -1.0]))
    assert np.isnan(kl_at_least(broken, broken))


def test_certain_predictions_of_different_tokens_are_far_apart():
    """The other model's token has a probability of e⁻⁸⁰⁰ at most, which is 0 in floats."""
    certain, other = (Listed(np.array(ids), np.array([0.0, -800.0])) for ids in ([0, 1], [2, 3]))
    assert kl_at_least(certain, other) == pytest.approx(-np.log(1e-15), rel=1e-6)
    assert kl_at_least(certain, certain) == pytest.approx(0.0, abs=ROUNDING)


def test_a_listed_probability_that_underflows_has_a_bound():
    certain = Listed(np.array([0, 1]), np.array([0.0, -800.0]))
    flat = Listed(np.array([2, 3, 4]), np.log([0.3, 0.3, 0.3]))
    assert kl_at_least(certain, flat) == pytest.approx(-np.log(0.1), rel=1e-3)  # token 0 is the whole rest of flat
    assert np.isfinite(kl_at_least(flat, certain))
