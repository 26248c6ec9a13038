"""Holm's adjustment: known values, bounds, and the error rate that it promises."""

import numpy as np
import pytest
from internal_physics.statistics.family_wise import adjust_family_wise


def test_values_are_those_of_the_definition():
    # Sorted: 0.01 · 4, 0.02 · 3, 0.03 · 2, 0.4 · 1; none below the one before it.
    assert adjust_family_wise([0.03, 0.01, 0.4, 0.02]) == pytest.approx([0.06, 0.04, 0.4, 0.06])
    assert adjust_family_wise([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_what_was_not_tested_stays_so_and_counts_for_nothing():
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
