"""Means of the agreement over prompts: intervals, shares, and numbers that some prompts lack."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.agreement.means import agreement_means
from internal_physics.statistics.shares import share_interval

SETTINGS = {"seed": 0, "n_resamples": 999, "confidence_level": 0.95}
KEY = {"model": "m", "condition": "baseline", "prompt_set": "s", "reference": "r", "reference_condition": "baseline"}


def rows_of(quantity, values, statuses=None, layer=0):
    statuses = statuses or ["ok"] * len(values)
    rows = [
        {**KEY, "prompt": f"p{i}", "quantity": quantity, "layer": layer, "parameter": None, "kind": None,
         "value": value, "status": status}
        for i, (value, status) in enumerate(zip(values, statuses, strict=True))
    ]  # fmt: skip
    return pd.DataFrame(rows).astype({"layer": "Int64"})


def only_mean(*frames):
    (row,) = agreement_means(pd.concat(frames), **SETTINGS).itertuples()
    return row


def test_the_interval_holds_the_mean_and_narrows_with_agreement():
    wide = only_mean(rows_of("gradient_cosine", [0.1, 0.5, 0.9, 0.4, 0.6]))
    narrow = only_mean(rows_of("gradient_cosine", [0.49, 0.5, 0.51, 0.5, 0.5]))
    assert wide.mean == pytest.approx(0.5)
    assert wide.ci_low < 0.5 < wide.ci_high
    assert narrow.ci_high - narrow.ci_low < 0.1 * (wide.ci_high - wide.ci_low)


def test_a_share_of_all_prompts_has_an_interval_with_a_width():
    row = only_mean(rows_of("best_token_agrees", [1.0] * 20, layer=None))
    assert (row.mean, row.ci_high) == (1, 1)
    assert row.ci_low == pytest.approx(20 / (20 + 1.959964**2), rel=1e-6)  # Wilson's, worked out for n of n


@pytest.mark.parametrize(("n_yes", "n"), [(0, 5), (3, 5), (50, 100)])
def test_wilsons_interval_is_its_formula(n_yes, n):
    z, share = 1.959963985, n_yes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert share_interval(n_yes, n, 0.95) == pytest.approx((centre - half, centre + half), abs=1e-9)


@pytest.mark.parametrize(("n_yes", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, 2, 1.0)])
def test_an_interval_of_no_share_is_refused(n_yes, n, level):
    with pytest.raises(ValueError, match="expected"):
        share_interval(n_yes, n, level)


def test_prompts_without_the_number_are_left_out_counted_and_named():
    statuses = ["ok", "zero in the model", "ok"]
    row = only_mean(rows_of("gradient_cosine", [0.2, np.nan, 0.4], statuses))
    assert row.mean == pytest.approx(0.3)
    assert np.isnan(row.ci_low)
    assert (row.n_prompts, row.status) == (2, "1 of 3 prompts left out: zero in the model; no interval")


def test_a_number_that_no_prompt_has_keeps_its_reason():
    row = only_mean(rows_of("gradient_cosine", [np.nan] * 2, ["not finite"] * 2))
    assert np.isnan(row.mean)
    assert (row.n_prompts, row.status) == (0, "not finite")


def test_one_prompt_has_no_interval():
    row = only_mean(rows_of("gradient_cosine", [0.2]))
    assert (row.mean, row.status) == (0.2, "one prompt: no interval")
    assert np.isnan(row.ci_low)


def test_numbers_of_layers_and_of_the_prompt_stay_apart():
    frames = [rows_of("gradient_cosine", [0.1, 0.3], layer=0), rows_of("gradient_cosine", [0.5, 0.7], layer=1)]
    found = agreement_means(pd.concat([*frames, rows_of("kl_at_least_nats", [1.0, 3.0], layer=None)]), **SETTINGS)
    assert found["mean"].tolist() == pytest.approx([0.2, 0.6, 2.0])
    assert found["layer"].isna().tolist() == [False, False, True]


def test_the_same_seed_gives_the_same_intervals_whatever_else_is_there():
    frame = rows_of("gradient_cosine", [0.1, 0.5, 0.9, 0.4])
    other = frame.assign(model="n", value=0.5)
    alone, beside = (agreement_means(f, **SETTINGS) for f in (frame, pd.concat([other, frame])))
    pd.testing.assert_frame_equal(alone, beside[beside["model"] == "m"].reset_index(drop=True))
