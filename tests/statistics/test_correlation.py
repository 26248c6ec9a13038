"""Correlations: golden values, exact p-values by enumeration, degenerate pairs, error rates simulated."""

import math
import warnings
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.ground.status import join_status
from internal_physics.statistics.correlation import (
    correlate_pair,
    correlation_interval,
    is_constant,
)
from scipy import stats

# Final-layer gain and output entropy of five prompts, as published; the published p-values are parametric.
GAIN = [0.4776722166094884, 0.8018922238816779, 0.5631023447410621, 0.5960215458462625, 0.6085824604989595]
ENTROPY = [4.030202388763428, 4.84741735458374, 3.003232717514038, 7.344757556915283, 4.316532135009766]

values = st.floats(-1e6, 1e6, allow_subnormal=False)
pairs = st.lists(st.tuples(values, values), min_size=0, max_size=9)


@pytest.fixture(autouse=True)
def no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def enumerated_p(statistic, x, y, tolerance=1e-12):
    """Two-sided permutation p-value from the definition, over all re-pairings."""
    observed = statistic(x, y)
    null = np.array([statistic(x, list(order)) for order in permutations(y)])
    smaller = min(np.mean(null >= observed - tolerance), np.mean(null <= observed + tolerance))
    return min(1.0, 2 * smaller)


def pearson(x, y):
    return stats.pearsonr(x, y).statistic


def spearman(x, y):
    return stats.spearmanr(x, y).statistic


def test_published_coefficients():
    result = correlate_pair(GAIN, ENTROPY, seed=0)
    assert result.pearson_r == pytest.approx(0.20752, abs=5e-6)
    assert result.spearman_rho == pytest.approx(0.6, abs=1e-12)
    assert (result.n, result.status) == (5, "ok")


def test_published_p_values_are_parametric_and_ours_are_exact():
    assert stats.pearsonr(GAIN, ENTROPY).pvalue == pytest.approx(0.73768, abs=5e-6)
    assert stats.spearmanr(GAIN, ENTROPY).pvalue == pytest.approx(0.28476, abs=5e-6)
    result = correlate_pair(GAIN, ENTROPY, seed=0)
    assert result.pearson_p == pytest.approx(enumerated_p(pearson, GAIN, ENTROPY)) == pytest.approx(64 / 120)
    assert result.spearman_p == pytest.approx(enumerated_p(spearman, GAIN, ENTROPY)) == pytest.approx(42 / 120)


def test_p_is_exact_for_few_pairs_whatever_the_seed():
    assert correlate_pair(GAIN, ENTROPY, seed=0) == correlate_pair(GAIN, ENTROPY, seed=1)
    sampled = [correlate_pair(GAIN, ENTROPY, seed=seed, n_resamples=99) for seed in (0, 1)]
    assert sampled[0].pearson_p != sampled[1].pearson_p


def test_same_seed_same_bits_where_permutations_are_drawn():
    x, y = np.random.default_rng(1).normal(size=(2, 30))
    assert correlate_pair(x, y, seed=5) == correlate_pair(x, y, seed=5)
    assert correlate_pair(x, y, seed=5) != correlate_pair(x, y, seed=6)


def test_drawn_p_values_agree_with_the_parametric_ones_on_normal_data():
    x, y = np.random.default_rng(3).normal(size=(2, 40))
    result = correlate_pair(x, y + 0.3 * x, seed=5)
    assert result.pearson_p == pytest.approx(stats.pearsonr(x, y + 0.3 * x).pvalue, abs=0.02)
    assert result.spearman_p == pytest.approx(stats.spearmanr(x, y + 0.3 * x).pvalue, abs=0.02)
    assert 0.001 < result.pearson_p < 0.9  # otherwise the comparison would show little


@pytest.mark.parametrize("sign", [1, -1])
def test_a_straight_line(sign):
    x = np.arange(12.0)
    result = correlate_pair(x, sign * (2 * x + 1), seed=0, n_resamples=999)
    assert result.pearson_r == pytest.approx(sign) and result.spearman_rho == pytest.approx(sign)
    assert result.pearson_p == result.spearman_p == pytest.approx(2 / 1000)  # the floor, never 0


def test_three_pairs_cannot_give_less_than_a_third():
    result = correlate_pair([1, 2, 3], [2, 4, 6], seed=0)
    assert result.pearson_p == result.spearman_p == pytest.approx(1 / 3)


def test_ties_around_zero_are_counted_exactly():
    x, y = [1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]
    for order in permutations(y):
        expected = enumerated_p(spearman, x, list(order))
        assert correlate_pair(x, order, seed=0).spearman_p == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.3, 7.0])
def test_equal_correlations_of_decimals_count_as_equal(shift):
    """A tenth has no exact binary fraction: products that are equal differ in their last digits."""
    rng = np.random.default_rng(0)
    n_cases = 0
    for n in (3, 4, 5) * 7:
        x, y = rng.integers(0, 4, (2, n))
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            continue
        exact = enumerated_p(lambda a, b: int(np.dot(a, b)), x, y.tolist(), tolerance=0)
        found = correlate_pair(x * 0.1 + shift, y * 0.7 - shift, seed=0)
        assert found.pearson_p == pytest.approx(exact, abs=1e-12)
        n_cases += 1
    assert n_cases > 15


@pytest.mark.parametrize(
    ("x", "y", "n", "status"),
    [
        ([], [], 0, "fewer than 3 pairs"),
        ([1, 2], [2, 1], 2, "fewer than 3 pairs"),
        ([1, 2, math.nan], [2, 1, 3], 2, "1 pair left out: not finite; fewer than 3 pairs"),
        ([5, 5, 5], [1, 2, 3], 3, "constant x"),
        ([1, 2, 3], [0.1, 0.1, 0.1], 3, "constant y"),
        ([0, 0, 0], [7, 7, 7], 3, "constant x; constant y"),
        ([5, 5, 5, 9], [1, 2, 3, math.inf], 3, "1 pair left out: not finite; constant x"),
        ([1, 1 + 2**-52, 1 - 2**-53, 1], [1, 2, 3, 4], 4, "constant x"),
    ],
)
def test_undefined_correlations_say_why(x, y, n, status):
    result = correlate_pair(x, y, seed=0)
    interval = correlation_interval(x, y, "pearson", seed=0)
    numbers = [result.pearson_r, result.pearson_p, result.spearman_rho, result.spearman_p]
    assert all(map(math.isnan, [*numbers, interval.value, interval.low, interval.high]))
    assert (result.n, result.status) == (interval.n, interval.status) == (n, status)


def test_pairs_that_are_not_finite_are_left_out_and_counted():
    x, y = [*GAIN, math.nan, 1.0], [*ENTROPY, 2.0, -math.inf]
    result, clean = correlate_pair(x, y, seed=0), correlate_pair(GAIN, ENTROPY, seed=0)
    assert result.status == "2 pairs left out: not finite"
    assert (result.n, result.pearson_r, result.spearman_p) == (5, clean.pearson_r, clean.spearman_p)


@pytest.mark.parametrize(("x", "y"), [([1, 2, 3], [1, 2]), ([[1, 2, 3]], [[1, 2, 3]]), (1.0, 2.0)])
def test_shapes_that_do_not_fit_are_refused(x, y):
    with pytest.raises(ValueError, match="expected one axis"):
        correlate_pair(x, y, seed=0)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_every_result_is_in_range_or_says_why_not(drawn):
    result = correlate_pair([x for x, _ in drawn], [y for _, y in drawn], seed=0, n_resamples=99)
    if result.status == "ok":
        assert -1 <= result.pearson_r <= 1 and -1 - 1e-12 <= result.spearman_rho <= 1 + 1e-12
        assert 0 < result.pearson_p <= 1 and 0 < result.spearman_p <= 1
    else:
        assert math.isnan(result.pearson_r) and math.isnan(result.spearman_rho)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=3, max_size=6))
def test_correlations_are_symmetric_and_invariant_to_scale_and_shift(drawn):
    x, y = np.array(drawn, dtype=float).T
    plain, swapped = correlate_pair(x, y, seed=0), correlate_pair(y, x, seed=0)
    moved = correlate_pair(4 * x + 1, y / 2 - 3, seed=0)
    assert swapped.pearson_r == pytest.approx(plain.pearson_r, nan_ok=True)
    assert moved.pearson_r == pytest.approx(plain.pearson_r, nan_ok=True, abs=1e-12)
    # Whole numbers have the same p-value whichever side is permuted, when all re-pairings are tried.
    assert swapped.spearman_p == pytest.approx(plain.spearman_p, nan_ok=True)


def test_false_positives_come_at_the_nominal_rate():
    rng = np.random.default_rng(11)
    results = [correlate_pair(*rng.normal(size=(2, 15)), seed=i, n_resamples=199) for i in range(400)]
    for name in ("pearson_p", "spearman_p"):
        p_values = np.array([getattr(result, name) for result in results])
        assert 0.02 <= np.mean(p_values <= 0.05) <= 0.085  # 0.05 ± 0.011
        assert 0.42 <= np.mean(p_values <= 0.5) <= 0.58


@pytest.mark.parametrize(("kind", "statistic"), [("pearson", pearson), ("spearman", spearman)])
def test_interval_is_scipys_paired_bca(kind, statistic):
    x, y = np.random.default_rng(4).normal(size=(2, 25))
    y += x
    expected = stats.bootstrap(
        (x, y),
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=199,
        rng=np.random.default_rng(9),
        method="BCa",
    )
    interval = correlation_interval(x, y, kind, seed=9, n_resamples=199)
    assert interval.value == pytest.approx(statistic(x, y), rel=1e-12)
    assert (interval.low, interval.high) == pytest.approx(tuple(expected.confidence_interval), rel=1e-9)
    assert (interval.n, interval.status) == (25, "ok")


def test_interval_counts_the_constant_resamples_of_five_pairs():
    interval = correlation_interval(GAIN, ENTROPY, "spearman", seed=0)
    n_left_out = int(interval.status.split()[0])
    assert interval.status == f"{n_left_out} of 9999 resamples left out: constant"
    assert 4 <= n_left_out <= 32  # 5 · 5^-5 of 9999: 16 expected, standard deviation 4
    assert -1 <= interval.low < interval.value < interval.high <= 1


def test_interval_survives_a_constant_jackknife_sample():
    interval = correlation_interval([0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6], "pearson", seed=0, n_resamples=999)
    assert "resamples left out: constant" in interval.status
    assert -1 <= interval.low <= interval.high <= 1


def test_interval_of_a_straight_line_has_no_width():
    interval = correlation_interval(np.arange(20), 3.0 * np.arange(20), "pearson", seed=0, n_resamples=199)
    assert (interval.value, interval.low, interval.high) == pytest.approx((1, 1, 1))


def test_interval_is_seeded_and_refuses_an_unknown_kind():
    x, y = np.random.default_rng(4).normal(size=(2, 25))
    same = [correlation_interval(x, y, "pearson", seed=1, n_resamples=199) for _ in range(2)]
    assert same[0] == same[1] != correlation_interval(x, y, "pearson", seed=2, n_resamples=199)
    with pytest.raises(ValueError, match="'kendall'"):
        correlation_interval(x, y, "kendall", seed=1)


def test_interval_coverage():
    rng, rho, n_simulations = np.random.default_rng(8), 0.5, 200
    covered = 0
    for seed in range(n_simulations):
        x, noise = rng.normal(size=(2, 30))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        interval = correlation_interval(x, y, "pearson", seed=seed, n_resamples=400)
        covered += interval.low <= rho <= interval.high
    assert 0.86 <= covered / n_simulations <= 0.985  # 0.912 in 1000 simulations; here ± 0.02


def test_constant_means_equal_to_rounding():
    assert is_constant(np.array([])) and is_constant(np.array([3.0])) and is_constant(np.zeros(4))
    assert is_constant(np.array([0.1 + 0.2, 0.3]))
    assert not is_constant(np.array([1.0, 1.0 + 1e-9]))
    assert not is_constant(np.array([0.0, 1e-300]))


def test_status_joins_everything_that_is_not_ok():
    assert join_status() == join_status("", "ok") == "ok"
    assert join_status("a", "ok", "", "b", "a") == "a; b"
