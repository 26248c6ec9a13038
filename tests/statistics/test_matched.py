"""Matched samples: golden values from scipy, hand computations, properties of the pair, degenerate input, coverage."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.statistics import bootstrap
from internal_physics.statistics.matched import compare_matched, sign_flip_p
from scipy import stats
from scipy_intervals import RESAMPLING, SEED, paired_bca

OPTIONS = {"seed": 0, "n_resamples": 999, "confidence_level": 0.95}
SAMPLE = np.array([1.2, -0.7, 3.9, 2.2, -0.1, 5.8, 1.1, 0.9])
samples = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=2, max_size=9)


@pytest.fixture(autouse=True)
def no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def columns(*values):
    return np.array(values, dtype=float).T


def sum_of(sample, axis=-1):
    return sample.sum(axis=axis)


# ---- p-values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 6, 8])
def test_few_prompts_have_scipys_exact_p(n):
    options = {"permutation_type": "samples", "n_resamples": math.inf, "vectorized": True}
    expected = stats.permutation_test((SAMPLE[:n],), sum_of, **options).pvalue
    assert sign_flip_p(columns(SAMPLE[:n]), seed=0, n_resamples=9999) == pytest.approx([expected], rel=1e-12)


def test_many_prompts_have_scipys_p_up_to_the_draw_of_patterns():
    rng = np.random.default_rng(1)
    differences = rng.normal(0.3, 1, 30)
    options = {"permutation_type": "samples", "n_resamples": 19999, "vectorized": True, "rng": rng}
    expected = stats.permutation_test((differences,), sum_of, **options).pvalue
    found = sign_flip_p(columns(differences), seed=0, n_resamples=19999)[0]
    # Both draw 20,000 patterns of signs: the standard error of the difference of two shares near 0.1 is 0.003.
    assert 0.05 < expected < 0.2 and found == pytest.approx(expected, abs=0.012)


def test_the_p_of_normal_differences_is_near_that_of_the_t_test():
    differences = np.random.default_rng(2).normal(0.4, 1, 40)
    found = sign_flip_p(columns(differences), seed=0, n_resamples=9999)[0]
    assert found == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=0.25)


def test_by_hand():
    # Of the 8 patterns of (1, 2, 4) only +++ and --- reach a sum of size 7; all of (3, 1, 1) reach 1 = |3 - 1 - 1|.
    found = sign_flip_p(columns([1, 2, 4], [3, -1, -1], [0, 0, 0]), seed=0, n_resamples=99)
    assert found == pytest.approx([2 / 8, 8 / 8, 1.0])


def test_no_p_is_below_what_the_number_of_prompts_or_patterns_allows():
    same = np.linspace(1, 2, 5)
    assert sign_flip_p(columns(same), seed=0, n_resamples=9999) == pytest.approx([2 / 2**5])
    assert sign_flip_p(columns(np.linspace(1, 2, 40)), seed=0, n_resamples=199) == pytest.approx([1 / 200])


def test_ties_broken_by_rounding_count_as_ties():
    tenths = columns([0.1, 0.2, 0.3, -0.6, 1e9])[:4]  # a sum of zero, up to rounding
    assert sign_flip_p(tenths, seed=0, n_resamples=99)[0] == 1.0
    assert sign_flip_p(tenths * 1e6, seed=0, n_resamples=99)[0] == 1.0


@pytest.mark.parametrize("n_resamples", [4, 99], ids=["drawn", "exact"])
def test_no_p_is_zero_where_sums_leave_the_range_of_a_float(n_resamples):
    found = sign_flip_p(columns([1e308] * 4, [np.inf, 1, 1, 1], [1, 1, 1, 1]), seed=0, n_resamples=n_resamples)
    np.testing.assert_array_equal(found, [found[2], np.nan, found[2]])
    assert found[2] > 0


def test_patterns_drawn_in_batches_are_the_same(monkeypatch):
    differences = np.random.default_rng(3).normal(0.2, 1, (30, 3))
    whole = sign_flip_p(differences, seed=5, n_resamples=500)
    monkeypatch.setattr(bootstrap, "_BATCH_ELEMENTS", 30 * 7)
    np.testing.assert_array_equal(sign_flip_p(differences, seed=5, n_resamples=500), whole)


def test_p_is_uniform_where_nothing_differs():
    # 400 exchangeable pairs of skewed numbers: a share of p < 0.1 has a standard error of 0.015.
    rng = np.random.default_rng(4)
    first, second = rng.exponential(size=(2, 20, 400))
    p = sign_flip_p(first - second, seed=0, n_resamples=999)
    assert 0.06 < (p < 0.1).mean() < 0.14
    assert 0.44 < p.mean() < 0.56


# ---- intervals ----------------------------------------------------------------------------------------------------


def difference_of(first, second, axis=-1):
    return (first - second).mean(axis)


def log_ratio_of(first, second, axis=-1):
    return np.log(first.mean(axis)) - np.log(second.mean(axis))


def test_intervals_are_those_of_scipys_paired_bootstrap():
    rng = np.random.default_rng(0)
    second = rng.gamma(2.0, size=(40, 3))
    first = 1.2 * second * np.exp(0.2 * rng.standard_normal(second.shape))
    found = compare_matched(first, second, seed=SEED, **RESAMPLING)
    for q in range(3):
        for measure, statistic, back in (("difference", difference_of, float), ("ratio", log_ratio_of, np.exp)):
            expected = map(back, paired_bca(first[:, q], second[:, q], statistic))
            change = getattr(found, measure)
            assert (change.low[q], change.high[q]) == pytest.approx(tuple(expected), rel=1e-9)


def test_intervals_from_batches_of_resamples_are_the_same(monkeypatch):
    first, second = np.random.default_rng(6).gamma(2.0, size=(2, 25, 2))
    whole = compare_matched(first, second, **OPTIONS)
    monkeypatch.setattr(bootstrap, "_BATCH_ELEMENTS", 25 * 10)
    batched = compare_matched(first, second, **OPTIONS)
    # Products of other shapes are summed in another order and differ in the last digits.
    assert batched.difference.low == pytest.approx(whole.difference.low, rel=1e-12)
    assert batched.ratio.high == pytest.approx(whole.ratio.high, rel=1e-12)


# With 400 simulations, a coverage of 0.95 has a standard error of 0.011. BCa at n = 20 covers 0.91 to 0.94; the bounds
# reject intervals that are too narrow and those that always cover.
def test_about_95_of_100_intervals_hold_the_truth():
    held = np.zeros(2)
    for trial in range(400):
        rng = np.random.default_rng(trial)
        prompt = rng.gamma(4.0, size=20)  # the common part of the two models makes pairing useful
        first, second = 1.5 * prompt * rng.gamma(20.0, 0.05, 20), prompt * rng.gamma(20.0, 0.05, 20)
        found = compare_matched(columns(first), columns(second), seed=trial, n_resamples=400, confidence_level=0.95)
        for i, (change, truth) in enumerate(((found.difference, 2.0), (found.ratio, 1.5))):
            held[i] += change.low[0] <= truth <= change.high[0]
    assert (held / 400 >= 0.88).all()
    assert (held / 400 <= 0.98).all()


# ---- properties ---------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(samples)
def test_a_swapped_pair_has_the_opposite_difference_the_inverse_ratio_and_the_same_p(pairs):
    first, second = (columns(side) for side in zip(*pairs, strict=True))
    one, other = compare_matched(first, second, **OPTIONS), compare_matched(second, first, **OPTIONS)
    # Differences of means lose digits if the means are much larger.
    noise = 1e-9 * float(np.abs(first).max() + np.abs(second).max())
    assert one.difference.value == pytest.approx(-other.difference.value, abs=noise)
    assert one.difference.low == pytest.approx(-other.difference.high, abs=noise)
    assert one.ratio.value == pytest.approx(1 / other.ratio.value, rel=1e-9)
    assert one.ratio.low == pytest.approx(1 / other.ratio.high, rel=1e-9)
    assert one.p == pytest.approx(other.p, rel=1e-12)
    np.testing.assert_array_equal(one.means, other.means[::-1])


@settings(deadline=None, max_examples=30)
@given(samples, st.floats(0.001, 1000))
def test_another_unit_scales_the_difference_and_leaves_ratio_and_p(pairs, unit):
    first, second = (columns(side) for side in zip(*pairs, strict=True))
    one, other = compare_matched(first, second, **OPTIONS), compare_matched(unit * first, unit * second, **OPTIONS)
    assert other.difference.value == pytest.approx(unit * one.difference.value, rel=1e-6, abs=1e-9 * unit)
    assert other.ratio.value == pytest.approx(one.ratio.value, rel=1e-9)
    assert other.p == pytest.approx(one.p, rel=1e-12)


def test_quantities_do_not_depend_on_their_neighbours():
    first, second = np.random.default_rng(7).gamma(2.0, size=(2, 12, 3))
    together, alone = compare_matched(first, second, **OPTIONS), compare_matched(first[:, :1], second[:, :1], **OPTIONS)
    assert together.difference.low[0] == pytest.approx(alone.difference.low[0], rel=1e-12)
    assert together.p[0] == alone.p[0]


# ---- degenerate input ---------------------------------------------------------------------------------------------


def test_values_by_hand():
    found = compare_matched(columns([2.0, 1.0, 6.0]), columns([1.0, 2.0, 3.0]), **OPTIONS)
    assert found.means[:, 0] == pytest.approx([3.0, 2.0])
    assert found.difference.value == pytest.approx([1.0])
    assert found.ratio.value == pytest.approx([1.5])
    assert found.n.tolist() == [3]


def test_equal_samples_have_difference_zero_and_p_one():
    same = columns([0.3, 1.7, 2.9, 0.1])
    found = compare_matched(same, same, **OPTIONS)
    assert [found.difference.value[0], found.difference.low[0], found.difference.high[0]] == [0.0, 0.0, 0.0]
    assert [found.ratio.value[0], found.ratio.low[0], found.ratio.high[0], found.p[0]] == [1.0, 1.0, 1.0, 1.0]


def test_a_constant_difference_has_an_interval_without_width():
    found = compare_matched(columns([2.0, 3.0, 5.0]), columns([1.5, 2.5, 4.5]), **OPTIONS)
    assert [found.difference.low[0], found.difference.high[0]] == pytest.approx([0.5, 0.5])
    assert found.p[0] == pytest.approx(2 / 8)


def test_one_prompt_has_values_but_no_interval_and_no_p():
    found = compare_matched(columns([3.0]), columns([2.0]), **OPTIONS)
    assert (found.difference.value[0], found.ratio.value[0]) == (1.0, pytest.approx(1.5))
    nothing = (found.difference.low, found.difference.high, found.ratio.low, found.ratio.high, found.p)
    assert np.isnan(nothing).all()


def test_without_prompts_there_are_no_values():
    found = compare_matched(np.full((2, 1), np.nan), np.ones((2, 1)), **OPTIONS)
    assert found.n.tolist() == [0]
    assert np.isnan([found.difference.value, found.ratio.value, found.p, *found.means]).all()


def test_a_prompt_without_a_number_is_left_out_of_its_quantity_alone():
    first, second = np.random.default_rng(8).gamma(2.0, size=(2, 6, 2))
    gaps = first.copy()
    gaps[2, 1] = np.inf
    found, whole = compare_matched(gaps, second, **OPTIONS), compare_matched(first, second, **OPTIONS)
    without = compare_matched(np.delete(first, 2, axis=0), np.delete(second, 2, axis=0), **OPTIONS)
    assert found.n.tolist() == [6, 5]
    for expected, q in ((whole, 0), (without, 1)):
        assert found.difference.value[q] == pytest.approx(expected.difference.value[q], rel=1e-12)
        assert found.ratio.high[q] == pytest.approx(expected.ratio.high[q], rel=1e-12)
        assert found.p[q] == expected.p[q]


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_number_that_is_not_above_zero_has_no_ratio(value):
    found = compare_matched(columns([1.0, value, 4.0]), columns([1.0, 2.0, 3.0]), **OPTIONS)
    assert np.isnan([found.ratio.value[0], found.ratio.low[0], found.ratio.high[0]]).all()
    assert np.isfinite([found.difference.value[0], found.difference.low[0], found.p[0]]).all()


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"expected \[n, q\] twice"):
        compare_matched(np.ones((3, 1)), np.ones((4, 1)), **OPTIONS)
