"""Ends of the radar's bars: paired intervals on the normalised scale, by hand and at the edges."""

import math

import pandas as pd
import pytest
from internal_physics.families.gradient_flow.figures.radar_bars import bar_ends


def scores(ends=None, **values):
    at_1, at_0 = ends or (min(values.values()), max(values.values()))
    numbers = {"value": list(values.values()), "value_at_0": at_0, "value_at_1": at_1}
    return pd.DataFrame({"model": list(values), **numbers})


def pair(model, reference, low, high):
    return {"model": model, "reference": reference, "ci_low": low, "ci_high": high}


def test_by_hand():
    # Inverses 1 and 1/4; the difference 3 in [1, 7] puts the model between 2 and 8: inverses 1/2 and 1/8.
    found = bar_ends(scores(a=1.0, b=4.0), pd.DataFrame([pair("b", "a", 1.0, 7.0)]))
    assert found == {"b": (pytest.approx(0.0, abs=1e-8), pytest.approx(1 / 3, abs=1e-8))}


def test_a_pair_and_its_mirror_have_the_same_bar():
    one = bar_ends(scores(a=1.0, b=4.0), pd.DataFrame([pair("b", "a", 1.0, 4.0)]))
    other = bar_ends(scores(a=1.0, b=4.0), pd.DataFrame([pair("a", "b", -4.0, -1.0)]))
    assert one == other
    assert list(one) == ["b"]


def test_a_difference_that_may_be_zero_reaches_the_outer_ring():
    found = bar_ends(scores(a=1.0, b=1.5, c=4.0), pd.DataFrame([pair("b", "a", -0.1, 1.2), pair("c", "a", 2.0, 4.0)]))
    assert found["b"][1] == 1.0
    assert 0 <= found["c"][0] <= found["c"][1] < 1


def test_an_interval_below_zero_ends_at_the_outer_ring():
    assert bar_ends(scores(a=1.0, b=2.0), pd.DataFrame([pair("b", "a", -5.0, 1.0)]))["b"] == (0.0, 1.0)


def test_on_a_scale_of_another_run_the_outermost_model_is_not_at_the_ring():
    # The scale's inverses run from 1/16 to 1: 2 is at 7/15, and the bar of the other one, 2 to 4, from 3/15 to 7/15.
    found = bar_ends(scores(ends=(1.0, 16.0), a=2.0, b=3.0), pd.DataFrame([pair("b", "a", 0.0, 2.0)]))
    assert found["b"] == (pytest.approx(3 / 15, abs=1e-8), pytest.approx(7 / 15, abs=1e-8))


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ({"a": 1.0, "b": 1.0}, [pair("b", "a", -1.0, 1.0)]),  # equal values have no scale
        ({"a": 1.0, "b": 2.0}, [pair("b", "a", math.nan, math.nan)]),  # ISF, or one prompt
        ({"a": 1.0, "b": math.nan}, [pair("b", "a", 0.0, 1.0)]),
    ],
)
def test_what_has_no_scale_or_no_interval_has_no_bar(values, pairs):
    assert bar_ends(scores(**values), pd.DataFrame(pairs)) == {}
