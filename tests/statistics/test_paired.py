"""Percent change: one definition for tables of means and for single numbers. Intervals that rounding does not move."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.statistics.paired import paired_changes, percent_change, resampling_weights
from scipy import stats

SETTINGS = {"seed": 3, "n_resamples": 499, "confidence_level": 0.95}
_number = st.integers(1, 1000).map(lambda whole: whole / 7)


def test_it_is_the_difference_in_percent_of_the_baselines_size():
    found = percent_change([1.0, 1.0, -3.0, 0.0], [4.0, -4.0, 2.0, 5.0])
    assert found == pytest.approx([25.0, 25.0, -150.0, 0.0])


@pytest.mark.parametrize(("difference", "baseline"), [(1.0, 0.0), (0.0, -0.0), (np.nan, 2.0), (1.0, np.nan)])
def test_without_a_baseline_other_than_zero_there_is_none(difference, baseline):
    assert np.isnan(percent_change(difference, baseline))


def test_shapes_broadcast():
    assert percent_change(np.ones((3, 2)), [2.0, 0.0])[:, 0] == pytest.approx([50.0] * 3)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(_number, _number), min_size=3, max_size=5), st.integers(0, 2**32))
def test_ends_do_not_jump_when_the_numbers_change_in_the_twelfth_digit(pairs, seed):
    baseline, steered = np.array(pairs, dtype=float).T[:, :, None]
    nudges = 1 + 1e-12 * np.random.default_rng(seed).uniform(-1, 1, (2, *baseline.shape))
    plain = paired_changes(baseline, steered, **SETTINGS)
    nudged = paired_changes(baseline * nudges[0], steered * nudges[1], **SETTINGS)
    for name, change in plain.items():
        size = np.abs(np.nan_to_num([change.low, change.high])).max() + (100 if name == "percent_change" else 1e3)
        for end in ("low", "high"):
            assert getattr(nudged[name], end) == pytest.approx(getattr(change, end), abs=1e-8 * size, nan_ok=True)


def test_away_from_ties_the_ends_are_those_of_scipy():
    rng = np.random.default_rng(1)
    baseline, steered = rng.lognormal(size=(2, 12, 1))
    found = paired_changes(baseline, steered, seed=4, n_resamples=999, confidence_level=0.9)["difference"]
    drawn = resampling_weights(12, 999, 4) @ (steered - baseline)
    whole = stats.bootstrap(((steered - baseline)[:, 0],), np.mean, n_resamples=9, method="percentile")
    given_draws = replace(whole, bootstrap_distribution=drawn[:, 0])
    expected = stats.bootstrap(
        ((steered - baseline)[:, 0],), np.mean, n_resamples=0, bootstrap_result=given_draws, confidence_level=0.9
    ).confidence_interval
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected), rel=1e-12)


def test_a_baseline_whose_mean_is_zero_up_to_rounding_has_no_percent_change():
    """0.1 + 0.2 - 0.3 is 6e-17 in floats: a change of 2 would be 1e19 %."""
    baseline, steered = np.array([[0.1, 1.0], [0.2, 2.0], [-0.3, -2.9]]), np.array([[1.0], [2.0], [3.0]]) * [1, 1]
    found = paired_changes(baseline, steered, **SETTINGS)
    percent = found["percent_change"]
    assert np.isnan([percent.value[0], percent.low[0], percent.high[0]]).all()
    assert percent.value[1] == pytest.approx(100 * (2 - 0.1 / 3) / (0.1 / 3))
    assert found["difference"].value[0] == pytest.approx(2)
