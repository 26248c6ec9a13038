"""Percent change: one definition for tables of means and for single numbers."""

import numpy as np
import pytest
from internal_physics.statistics.paired import percent_change


def test_it_is_the_difference_in_percent_of_the_baselines_size():
    found = percent_change([1.0, 1.0, -3.0, 0.0], [4.0, -4.0, 2.0, 5.0])
    assert found == pytest.approx([25.0, 25.0, -150.0, 0.0])


@pytest.mark.parametrize(("difference", "baseline"), [(1.0, 0.0), (0.0, -0.0), (np.nan, 2.0), (1.0, np.nan)])
def test_without_a_baseline_other_than_zero_there_is_none(difference, baseline):
    assert np.isnan(percent_change(difference, baseline))


def test_shapes_broadcast():
    assert percent_change(np.ones((3, 2)), [2.0, 0.0])[:, 0] == pytest.approx([50.0] * 3)
