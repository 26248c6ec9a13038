"""Intervals: golden values from scipy, hand computations, degenerate samples, coverage by simulation."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.statistics.bootstrap import bootstrap_bounds, jackknife_interval, mean_interval
from scipy import stats

SAMPLE = np.array([1.2, 0.7, 3.9, 2.2, 0.1, 5.8, 1.1, 0.9])
finite_samples = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=12)


@pytest.fixture(autouse=True)
def no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def ends(interval):
    return interval.low, interval.high


def test_mean_interval_is_scipys_bca_where_no_resample_ties_with_the_sample():
    sample = np.random.default_rng(5).lognormal(size=16)  # 16 draws hold every value once in 1e-6 of the resamples
    expected = stats.bootstrap((sample,), np.mean, n_resamples=9999, rng=np.random.default_rng(7), method="BCa")
    interval = mean_interval(sample, seed=7)
    assert interval.value == sample.mean()
    assert ends(interval) == tuple(expected.confidence_interval)
    assert (interval.n, interval.status) == (16, "ok")


def test_bca_differs_from_percentile_on_a_skewed_sample():
    percentile = stats.bootstrap((SAMPLE,), np.mean, rng=np.random.default_rng(7), method="percentile")
    assert mean_interval(SAMPLE, seed=7).high > percentile.confidence_interval.high


def test_same_seed_same_bits_other_seed_other_bits():
    assert mean_interval(SAMPLE, seed=3) == mean_interval(SAMPLE, seed=3)
    assert ends(mean_interval(SAMPLE, seed=3)) != ends(mean_interval(SAMPLE, seed=4))


def test_splitting_into_batches_keeps_the_interval_close(monkeypatch):
    whole = mean_interval(SAMPLE, seed=3)
    monkeypatch.setattr("internal_physics.statistics.bootstrap._BATCH_ELEMENTS", 64)
    assert ends(mean_interval(SAMPLE, seed=3)) == pytest.approx(ends(whole), rel=0.02)


def test_wider_at_a_higher_level():
    narrow, wide = (mean_interval(SAMPLE, seed=3, confidence_level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_a_mean_beyond_the_range_of_a_float_has_a_status():
    found = mean_interval([1e308, 1.5e308, 1.7e308], seed=3)
    assert np.isnan([found.value, *ends(found)]).all()
    assert (found.n, found.status) == (3, "the sum is beyond the range of a float: no mean")


def test_float32_is_averaged_in_float64():
    values = np.full(4097, 0.1, dtype=np.float32)
    values[0] = 0.2
    assert mean_interval(values, seed=0, n_resamples=99).value == values.astype(np.float64).mean()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e300])
def test_equal_values_have_an_interval_of_no_width(value):
    interval = mean_interval([value] * 3, seed=0)
    assert (interval.value, *ends(interval), interval.status) == (value, value, value, "ok")


def test_one_value_has_no_interval():
    interval = mean_interval([2.5], seed=0)
    assert (interval.value, interval.n, interval.status) == (2.5, 1, "one prompt: no interval")
    assert all(map(math.isnan, ends(interval)))


def test_no_values_have_no_mean():
    interval = mean_interval([], seed=0)
    assert (interval.n, interval.status) == (0, "no prompts: no mean")
    assert all(map(math.isnan, (interval.value, *ends(interval))))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_with_its_place(bad):
    with pytest.raises(ValueError, match=r"values\[1\] is -?(nan|inf)"):
        mean_interval([1.0, bad], seed=0)


def test_other_shapes_and_levels_are_refused():
    with pytest.raises(ValueError, match="2 dimensions"):
        mean_interval([[1.0, 2.0]], seed=0)
    with pytest.raises(ValueError, match="confidence_level"):
        mean_interval([1.0, 2.0], seed=0, confidence_level=1.5)


def test_percentiles_are_used_where_bca_is_undefined():
    # All three resamples lie below the mean, so its rank among them is 0 and the bias correction infinite.
    values, seed = [0.0, 1.0, 2.0, 5.0, 9.0], 11
    resampled = stats.bootstrap((values,), np.mean, n_resamples=3, rng=np.random.default_rng(seed), method="percentile")
    assert (resampled.bootstrap_distribution < np.mean(values)).all()
    interval = mean_interval(values, seed=seed, n_resamples=3)
    assert ends(interval) == tuple(resampled.confidence_interval)
    assert interval.status == "ok"


def test_values_apart_by_rounding_keep_a_finite_interval():
    interval = mean_interval([1.0, 1.0, 1.0, 1.0 + 2**-52], seed=0)
    assert 1.0 <= interval.low <= interval.high <= 1.0 + 2**-52
    assert interval.status == "ok"


@settings(deadline=None, max_examples=60)
@given(finite_samples)
def test_interval_lies_within_the_range_of_the_values(values):
    interval = mean_interval(values, seed=1, n_resamples=199)
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= interval.low <= interval.high <= max(values) + slack
    assert interval.status == "ok"


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=10), st.integers(-3, 3), st.integers(-50, 50))
def test_scale_and_shift_carry_over(values, exponent, shift):
    values = np.array(values, dtype=float)
    plain = mean_interval(values, seed=1, n_resamples=99)
    moved = mean_interval(values * 2.0**exponent + shift, seed=1, n_resamples=99)
    assert ends(moved) == pytest.approx([end * 2.0**exponent + shift for end in ends(plain)], abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 1000), min_size=3, max_size=5), st.integers(0, 2**32))
def test_ends_do_not_jump_when_the_values_change_in_the_twelfth_digit(values, seed):
    values = np.array(values) / 7
    nudged = values * (1 + 1e-12 * np.random.default_rng(seed).uniform(-1, 1, values.size))
    plain, moved = (mean_interval(sample, seed=1, n_resamples=499) for sample in (values, nudged))
    assert ends(moved) == pytest.approx(ends(plain), rel=1e-9)


def test_undefined_resamples_are_left_out_and_counted():
    def undefined_on_ties(values, axis=-1):
        tied = (values == np.take(values, [0], axis)).all(axis)
        return np.where(tied, np.nan, values.mean(axis))

    bounds = bootstrap_bounds((SAMPLE[:3],), undefined_on_ties, seed=5, n_resamples=900, confidence_level=0.9)
    assert 60 <= bounds.n_undefined <= 140  # one resample in nine: 100 expected, standard deviation 9.4
    assert SAMPLE[:3].min() < bounds.low < bounds.high < SAMPLE[:3].max()


def test_no_bounds_where_every_resample_is_undefined():
    bounds = bootstrap_bounds(
        (SAMPLE,),
        lambda values, axis: np.full(values.shape[:-1], np.nan),
        seed=0,
        n_resamples=9,
        confidence_level=0.9,
    )
    assert math.isnan(bounds.low) and math.isnan(bounds.high)
    assert bounds.n_undefined == 9


def leave_one_out(values, statistic):
    return [statistic(np.delete(values, i)) for i in range(len(values))]


def test_jackknife_of_a_mean_is_the_t_interval():
    interval = jackknife_interval(SAMPLE.mean(), leave_one_out(SAMPLE, np.mean), confidence_level=0.9)
    expected = stats.ttest_1samp(SAMPLE, 0).confidence_interval(0.9)
    assert ends(interval) == pytest.approx(tuple(expected), rel=1e-12)
    assert (interval.value, interval.n, interval.status) == (SAMPLE.mean(), 8, "ok")


def test_jackknife_by_hand():
    # Mean 2, squares 1 + 0 + 1, so se² = 2/3 · 2. Student's t at 2 degrees of freedom has a closed form.
    half_width = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025)) * math.sqrt(4 / 3)
    interval = jackknife_interval(5.0, [1.0, 2.0, 3.0])
    assert ends(interval) == pytest.approx((5 - half_width, 5 + half_width), rel=1e-12)


def test_jackknife_is_clipped_at_the_lower_bound_only():
    interval = jackknife_interval(5.0, [1.0, 2.0, 3.0], lower_bound=0.5)
    free = jackknife_interval(5.0, [1.0, 2.0, 3.0])
    assert interval.low == 0.5 > free.low
    assert interval.high == free.high
    assert jackknife_interval(5.0, [1.0, 2.0, 3.0], lower_bound=-100).low == free.low


def test_jackknife_of_equal_values_has_no_width():
    interval = jackknife_interval(0.3, [0.1] * 5, lower_bound=0.0)
    assert (*ends(interval), interval.status) == (0.3, 0.3, "ok")


@pytest.mark.parametrize(("values", "status"), [([], "no prompts: no interval"), ([1.0], "one prompt: no interval")])
def test_jackknife_needs_two_values(values, status):
    interval = jackknife_interval(4.0, values)
    assert (interval.value, interval.n, interval.status) == (4.0, len(values), status)
    assert all(map(math.isnan, ends(interval)))


@pytest.mark.parametrize(
    ("value", "values", "options", "message"),
    [
        (math.nan, [1.0, 2.0], {}, "value is nan"),
        (1.0, [1.0, math.inf], {}, r"leave_one_out_values\[1\] is inf"),
        (-1.0, [1.0, 2.0], {"lower_bound": 0.0}, "below its lower bound"),
        (1.0, [1.0, 2.0], {"confidence_level": 0.0}, "confidence_level"),
    ],
)
def test_jackknife_refuses_invalid_input(value, values, options, message):
    with pytest.raises(ValueError, match=message):
        jackknife_interval(value, values, **options)


def coverage(draw, interval_of, truth, n_simulations=300):
    rng = np.random.default_rng(20240)
    intervals = [interval_of(draw(rng), seed) for seed in range(n_simulations)]
    return np.mean([interval.low <= truth <= interval.high for interval in intervals])


# With 300 simulations, a coverage of 0.95 has a standard error of 0.0126. BCa at n = 20 covers 0.91 (normal) and 0.93
# (exponential) in 2000 simulations; the bounds reject intervals that are too narrow and those that always cover.
@pytest.mark.parametrize(
    ("draw", "truth", "bounds"),
    [
        (lambda rng: rng.normal(3, 2, 20), 3, (0.88, 0.975)),
        (lambda rng: rng.exponential(1, 20), 1, (0.85, 0.965)),
    ],
    ids=["normal", "exponential"],
)
def test_bootstrap_coverage(draw, truth, bounds):
    share = coverage(draw, lambda values, seed: mean_interval(values, seed=seed, n_resamples=500), truth)
    assert bounds[0] <= share <= bounds[1]


@pytest.mark.parametrize(
    ("statistic", "truth", "bounds"),
    [(np.mean, 3, (0.91, 0.985)), (lambda values: values.std(ddof=1), 2, (0.87, 0.98))],
    ids=["mean", "standard deviation"],
)
def test_jackknife_coverage(statistic, truth, bounds):
    share = coverage(
        lambda rng: rng.normal(3, 2, 20),
        lambda values, _: jackknife_interval(statistic(values), leave_one_out(values, statistic)),
        truth,
    )
    assert bounds[0] <= share <= bounds[1]


def test_half_the_level_covers_half():
    share = coverage(
        lambda rng: rng.normal(3, 2, 20),
        lambda values, seed: mean_interval(values, seed=seed, n_resamples=500, confidence_level=0.5),
        3,
    )
    assert 0.40 <= share <= 0.60
