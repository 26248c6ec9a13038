"""Adjusted p-values: known values, bounds, and the error rate that is promised."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.statistics.many_tests import adjust_false_discovery, adjust_family_wise
from scipy import stats


def test_family_wise_by_hand():
    # Sorted: 0.01 · 4, 0.02 · 3, 0.03 · 2, 0.4 · 1; none below the one before it.
    assert adjust_family_wise([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.06, 0.04, 0.4, 0.06])
    assert adjust_family_wise([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_family_wise_what_was_not_tested_stays_so_and_counts_for_nothing():
    found = adjust_family_wise([np.nan, 0.02, np.nan])
    assert found[1] == 0.02
    assert np.isnan(found[[0, 2]]).all()
    assert adjust_family_wise([]).shape == (0,)


@pytest.mark.parametrize("wrong", [[-0.1], [1.2], [[0.1]]])
def test_what_is_no_list_of_p_values_is_refused(wrong):
    with pytest.raises(ValueError, match=r"outside 0 to 1|dimensions"):
        adjust_family_wise(wrong)


def test_of_runs_without_an_effect_5_in_100_claim_anything():
    p = np.random.default_rng(0).random((2000, 20))
    share = np.mean([adjust_family_wise(row).min() < 0.05 for row in p])
    assert 0.035 <= share <= 0.065  # 0.0488 expected, 3 standard errors of 2,000 runs are 0.0145


def test_false_discovery_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5 times 4/rank: 0.04, 0.04, 0.04, 0.5.
    assert adjust_false_discovery([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.04, 0.5, 0.04, 0.04])


def test_false_discovery_keeps_nan_in_place_and_does_not_count_it():
    adjusted = adjust_false_discovery([math.nan, 0.01, math.nan, 0.04])
    assert np.isnan(adjusted).tolist() == [True, False, True, False]
    assert adjusted[[1, 3]] == pytest.approx(stats.false_discovery_control([0.01, 0.04]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_false_discovery_is_that_of_scipy(p_values):
    assert adjust_false_discovery(p_values) == pytest.approx(stats.false_discovery_control(p_values), rel=1e-14)


def test_false_discovery_without_p_values():
    assert adjust_false_discovery([]).size == 0
    assert np.isnan(adjust_false_discovery([math.nan])).all()
    assert adjust_false_discovery([0.3]) == pytest.approx([0.3])


def test_false_discovery_leaves_its_input_alone_and_refuses_what_is_no_p_value():
    p_values = np.array([0.02, 0.01])
    adjust_false_discovery(p_values)
    assert p_values.tolist() == [0.02, 0.01]
    with pytest.raises(ValueError, match="outside 0 to 1"):
        adjust_false_discovery([0.5, 1.5])
    with pytest.raises(ValueError, match="2 dimensions"):
        adjust_false_discovery([[0.5]])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusting_keeps_the_order_and_never_lowers(p_values):
    adjusted = adjust_false_discovery(p_values)
    assert (adjusted >= np.array(p_values) - 1e-15).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= -1e-15).all()
