"""Parts of the report: numbers as text, figures in order, flagged rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.agreement.statuses import NO_DIRECTION, NOT_RECORDED
from internal_physics.families.scores.tables import ALONE
from internal_physics.report import parts as report_parts
from internal_physics.report.build import figure_paths


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (0.0, "0"),
        (12, "12"),
        (1.5e-7, "1.500e-07"),
        (-2.0e6, "-2.000e+06"),
        (99999.4, "1e+05"),
        (float("nan"), "n/a"),
        (float("inf"), "infinite"),
        (float("-inf"), "-infinite"),
        (None, "n/a"),
        (pd.NA, "n/a"),
        (np.float64(0.5), "0.5"),
        ("smollm2", "smollm2"),
    ],
)
def test_numbers_as_text(value, text):
    assert report_parts.number(value) == text


def test_figures_are_sorted_by_the_names_of_their_files():
    paths = ["f/radar-my-set.png", "f/radar-factual.png", "f/correlation_matrix.png"]
    assert figure_paths(paths) == {
        "radar": {"my-set": Path("f/radar-my-set.png"), "factual": Path("f/radar-factual.png")},
        "correlation_matrix": {"": Path("f/correlation_matrix.png")},
    }


def test_flags_of_pairs_and_missing_places_are_kept():
    table = pd.DataFrame({"x": ["ec"], "y": ["isc"], "level": ["model"], "status": ["constant"]})
    (entry,), _ = report_parts.flagged_rows({"correlations": table})
    assert (entry["place"], entry["first_layer"]) == ("model: ec with isc", None)


def test_pairs_are_named_once_and_of_many_the_first_three():
    """A test with several statistics has several rows."""
    table = pd.DataFrame({"x": list("aabcde"), "y": "z", "level": "model", "status": "constant"})
    (entry,), _ = report_parts.flagged_rows({"correlations": table})
    assert (entry["place"], entry["count"]) == ("model: a with z, b with z, c with z and 2 more", 6)


def test_a_negative_scale_has_a_minus_sign():
    table = pd.DataFrame({"condition": ["baseline", "sad"], "adds": "v", "scale": [np.nan, -1.5], "layers": "layer 2"})
    assert report_parts.describe_conditions(table) == ["Condition sad: v, times −1.5, at layer 2."]


def test_numbers_that_do_not_exist_by_definition_are_not_flagged():
    """Whatever else a row says is: here that it has one prompt."""
    statuses = ["ok", ALONE, f"one prompt: no interval; {ALONE}"]
    table = pd.DataFrame({"model": ["a", "b", "c"], "metric": "ec", "status": statuses})
    (entry,), _ = report_parts.flagged_rows({"scores_normalized": table})
    assert (entry["place"], entry["count"]) == ("c: ec", 1)
    of_another, _ = report_parts.flagged_rows({"scores": table})
    assert [found["place"] for found in of_another] == ["b: ec", "c: ec"]


def test_weight_gradients_that_were_kept_as_norms_are_not_flagged():
    table = pd.DataFrame({"model": "a", "status": [NO_DIRECTION, NOT_RECORDED, "not finite"]})
    for name in ("agreement", "agreement_means"):
        (entry,), _ = report_parts.flagged_rows({name: table})
        assert entry["status"] == "not finite"
