"""Two samples compared: scipy's numbers, pairs counted by hand, degenerate samples, coverage by simulation."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from internal_physics.ground.seeds import seed_of
from internal_physics.statistics.correlation import correlate_pair, parametric_p
from internal_physics.statistics.two_samples import cliffs_delta, ratio_of_means
from scipy import stats

RNG = np.random.default_rng(3)
X, Y = RNG.normal(1.0, 0.2, 12), RNG.normal(1.2, 0.3, 15)
FEW = {"seed": 0, "n_resamples": 199}


def delta_by_counting(x, y):
    return np.mean([np.sign(a - b) for a in x for b in y])


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=8), st.lists(st.integers(-4, 4), min_size=2, max_size=8))
def test_delta_counts_pairs(x, y):
    found = cliffs_delta(x, y, seed=0, n_resamples=99)
    assert found.value == pytest.approx(delta_by_counting(x, y), abs=1e-12)
    assert cliffs_delta(y, x, seed=0, n_resamples=99).value == pytest.approx(-found.value, abs=1e-12)
    assert (found.n_x, found.n_y) == (len(x), len(y))


def test_delta_is_that_of_mann_and_whitney():
    u = stats.mannwhitneyu(X, Y).statistic
    assert cliffs_delta(X, Y, **FEW).value == pytest.approx(2 * u / (len(X) * len(Y)) - 1, abs=1e-14)


def test_permutation_p_is_scipys():
    found = cliffs_delta(X, Y, seed=5, n_resamples=999)
    expected = stats.permutation_test(
        (X, Y), delta_by_counting, vectorized=False, n_resamples=999, rng=np.random.default_rng(5)
    )
    assert found.p == expected.pvalue
    ratio = ratio_of_means(X, Y, seed=5, n_resamples=999)
    expected = stats.permutation_test(
        (X, Y),
        lambda x, y: np.log(x.mean() / y.mean()),
        vectorized=False,
        n_resamples=999,
        rng=np.random.default_rng(5),
    )
    assert ratio.p == pytest.approx(expected.pvalue, abs=2e-3)  # logs are rounded differently


def test_small_samples_are_permuted_exactly():
    x, y = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 6.0, 7.0])
    pool, observed = np.concatenate([x, y]), delta_by_counting(x, y)
    regrouped = [
        delta_by_counting(pool[list(chosen)], np.delete(pool, list(chosen))) for chosen in combinations(range(7), 3)
    ]
    tail = min(np.mean(np.array(regrouped) <= observed + 1e-12), np.mean(np.array(regrouped) >= observed - 1e-12))
    assert cliffs_delta(x, y, seed=0).p == pytest.approx(min(1, 2 * tail))


@pytest.mark.parametrize("shift", [0, 100])
def test_equal_ratios_of_decimals_count_as_equal(shift):
    """A tenth has no exact binary fraction: ratios that are equal differ in their last digits."""
    rng = np.random.default_rng(0)
    for n_x, n_y in [(3, 2), (3, 4), (5, 3)] * 5:
        pool = rng.integers(1, 4, n_x + n_y) + shift
        sums = np.array([pool[list(chosen)].sum() for chosen in combinations(range(n_x + n_y), n_x)])
        tail = min(np.mean(sums <= pool[:n_x].sum()), np.mean(sums >= pool[:n_x].sum()))
        found = ratio_of_means(pool[:n_x] * 0.1, pool[n_x:] * 0.1, **FEW)
        assert found.p == pytest.approx(min(1, 2 * tail))


@pytest.mark.parametrize("unit", [2.0**-1060, 1e-30, 1e30, 2.0**1021])
def test_a_ratio_of_means_does_not_depend_on_the_unit(unit):
    x, y = np.array([1.0, 2.0, 4.0]), np.array([3.0, 5.0, 6.0, 7.0])
    found, expected = ratio_of_means(x * unit, y * unit, **FEW), ratio_of_means(x, y, **FEW)
    numbers = [[c.value, c.low, c.high, c.p] for c in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-3 if unit < 1e-300 else 1e-12)  # few digits are left there


def test_interval_is_scipys_bootstrap():
    found = ratio_of_means(X, Y, seed=8, n_resamples=999)
    expected = stats.bootstrap(
        (X, Y),
        lambda x, y, axis: np.log(x.mean(axis=axis)) - np.log(y.mean(axis=axis)),
        n_resamples=999,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(8),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)), rel=1e-12)
    assert found.value == pytest.approx(X.mean() / Y.mean(), rel=1e-14)


def test_swapping_the_samples_inverts_the_ratio_and_keeps_p():
    one, other = ratio_of_means(X, Y, seed=1), ratio_of_means(Y, X, seed=1)
    assert one.value * other.value == pytest.approx(1, rel=1e-14)
    assert one.p == pytest.approx(other.p, abs=0.01)  # the noise of two draws


def test_the_same_seed_gives_the_same_bits():
    assert cliffs_delta(X, Y, **FEW) == cliffs_delta(X, Y, **FEW)
    assert cliffs_delta(X, Y, **FEW).low != cliffs_delta(X, Y, seed=1, n_resamples=199).low


@pytest.mark.parametrize(
    ("x", "y", "status"),
    [
        ([], [1.0, 2.0], "fewer than 2 in x"),
        ([1.0, 2.0], [3.0], "fewer than 2 in y"),
        ([1.0, np.nan], [np.inf], "1 of x left out: not finite; 1 of y left out: not finite; fewer than 2 in x; "
         "fewer than 2 in y"),
    ],
)  # fmt: skip
def test_too_few_values_have_a_status_and_no_test(x, y, status):
    found = cliffs_delta(x, y, **FEW)
    assert found.status == status
    assert np.isnan([found.low, found.high, found.p]).all()


def test_equal_constants_do_not_differ_and_apart_ones_do_not_overlap():
    same = cliffs_delta([1.0] * 6, [1.0] * 6, **FEW)
    assert (same.value, same.low, same.high, same.p, same.status) == (0, 0, 0, 1, "ok")
    apart = cliffs_delta([2.0] * 6, [1.0] * 6, **FEW)
    assert (apart.value, apart.low, apart.high) == (1, 1, 1)
    assert apart.p < 0.05
    assert apart.status == "the samples do not overlap: an interval without width"


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="x has 2 dimensions"):
        cliffs_delta([[1.0]], [1.0], **FEW)
    with pytest.raises(ValueError, match="y has numbers that are not above 0"):
        ratio_of_means([1.0, 2.0], [1.0, 0.0], **FEW)


# With 200 simulations, a coverage of 0.95 has a standard error of 0.015; BCa at n = 21 covers a little less.
@pytest.mark.parametrize(
    ("statistic", "truth"), [(cliffs_delta, 2 * stats.norm.cdf(0.5 / np.sqrt(2)) - 1), (ratio_of_means, 5.5 / 5.0)]
)
def test_interval_coverage(statistic, truth):
    rng = np.random.default_rng(17)
    hits = 0
    for simulation in range(200):
        found = statistic(rng.normal(5.5, 1, 21), rng.normal(5.0, 1, 21), seed=simulation, n_resamples=299)
        hits += found.low <= truth <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_p_values_are_uniform_without_an_effect():
    rng = np.random.default_rng(23)
    p = [cliffs_delta(rng.normal(size=10), rng.normal(size=12), seed=i, n_resamples=199).p for i in range(200)]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.09


# ---- parametric p-values ------------------------------------------------------------------------------


@given(st.integers(3, 40), st.integers(0, 10**6))
def test_parametric_p_is_scipys(n, seed):
    x, y = np.random.default_rng(seed).standard_normal((2, n))
    assert parametric_p(stats.pearsonr(x, y).statistic, n) == pytest.approx(stats.pearsonr(x, y).pvalue, abs=1e-9)
    if n > 3:
        assert parametric_p(stats.spearmanr(x, y).statistic, n) == pytest.approx(stats.spearmanr(x, y).pvalue, abs=1e-9)


def test_parametric_p_at_the_edges():
    assert parametric_p(1.0, 5) == parametric_p(-1.0, 5) == 0
    assert np.isnan(parametric_p(0.5, 2))
    assert np.isnan(parametric_p(np.nan, 9))
    assert parametric_p(0.0, 9) == 1


def test_permutation_and_parametric_p_agree_on_normal_data():
    x = np.arange(30.0)
    y = x + np.random.default_rng(1).normal(0, 25, 30)
    pair = correlate_pair(x, y, seed=0)
    assert pair.pearson_p == pytest.approx(parametric_p(pair.pearson_r, 30), abs=0.01)


def test_a_seed_depends_on_its_names():
    assert seed_of(0, "a", "b") == seed_of(0, "a", "b")
    assert len({seed_of(0), seed_of(1), seed_of(0, "a"), seed_of(0, "a", "b"), seed_of(0, "b", "a")}) == 5
