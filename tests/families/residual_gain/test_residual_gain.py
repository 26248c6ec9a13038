"""Residual gain of one prompt: norms, gains, variants, predictions, and degenerate residuals."""

import numpy as np
import pytest
from gain_traces import gain_trace
from hypothesis import given
from hypothesis import strategies as st
from internal_physics import metrics
from internal_physics.families.residual_gain.residual_gain import (
    OUT_OF_RANGE,
    VARIANTS,
    Gain,
    _variant_rows,
    next_token_entropy_nats,
    position_gains,
    position_norms,
    residual_gain,
    rows,
    top_tokens,
)
from internal_physics.records.info import TraceInfo
from internal_physics.tables.measure import COLUMNS, per_prompt_table
from internal_physics.tables.rows import read_metrics, write_rows

# Two tokens of width 2, three residuals; by hand: norms of the tokens (3, 4), (6, 8), (6, 2).
BY_HAND = [[[3, 0], [0, 4]], [[6, 0], [0, 8]], [[0, 6], [2, 0]]]


@pytest.fixture
def trace():
    return gain_trace(BY_HAND, entropy=2.5)


def by_quantity(trace):
    return {(row.quantity, row.layer, row.rank): row for row in rows(trace)}


def test_norms_and_gains_by_hand(trace):
    np.testing.assert_array_equal(position_norms(trace), [[3, 4], [6, 8], [6, 2]])
    np.testing.assert_array_equal(position_gains(trace), [[2, 2], [1, 0.25]])
    whole = residual_gain(trace)
    np.testing.assert_allclose(whole.norms, [5, 10, np.sqrt(40)], rtol=1e-15)
    np.testing.assert_allclose(whole.gains, [2, np.sqrt(0.4)], rtol=1e-15)
    assert whole.last_gain == pytest.approx(np.sqrt(0.4), rel=1e-15)
    assert not whole.expands
    assert whole.cumulative_gain == pytest.approx(whole.gains.prod(), rel=1e-15)
    assert whole.log_cumulative_gain == pytest.approx(np.log(whole.gains).sum(), rel=1e-15)


def test_variants_choose_positions(trace):
    np.testing.assert_allclose(residual_gain(trace, "last_position").norms, [4, 8, 2])
    np.testing.assert_allclose(residual_gain(trace, "excluding_first").norms, [4, 8, 2])
    masked = gain_trace(BY_HAND, read_position=0)
    np.testing.assert_allclose(residual_gain(masked, "last_position").norms, [3, 6, 6])
    with pytest.raises(ValueError, match="whole, last_position, excluding_first"):
        residual_gain(trace, "middle")


def test_gain_of_exactly_one_does_not_expand():
    assert not Gain(np.array([1.0, 2.0, 2.0])).expands
    assert Gain(np.array([1.0, 2.0, 2.0 + 1e-12])).expands


def test_a_massive_first_token_dominates_the_whole_norm_only():
    residuals = np.ones((3, 4, 8))
    residuals[1, 0] *= 1e3
    trace = gain_trace(residuals)
    assert residual_gain(trace).gains[0] > 400
    np.testing.assert_allclose(residual_gain(trace, "excluding_first").gains, 1)
    np.testing.assert_allclose(residual_gain(trace, "last_position").gains, 1)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.floats(0.01, 100), st.integers(0, 99))
def test_gains_ignore_scale_and_multiply_to_the_cumulative_gain(n_layers, n_tokens, width, scale, seed):
    residuals = np.random.default_rng(seed).standard_normal((n_layers + 1, n_tokens, width)) + 3
    one, scaled = residual_gain(gain_trace(residuals)), residual_gain(gain_trace(residuals * scale))
    np.testing.assert_allclose(one.gains, scaled.gains, rtol=1e-12)
    assert one.gains.prod() == pytest.approx(one.cumulative_gain, rel=1e-12)


def test_float32_norms_are_added_up_in_float64():
    residuals = np.full((2, 1, 1_000_000), 0.1, np.float32)
    expected = np.sqrt(np.square(residuals[0].astype(np.float64)).sum())
    assert residual_gain(gain_trace(residuals)).norms[0] == pytest.approx(expected, rel=1e-14)


def test_every_number_has_exactly_one_row(trace):
    found = by_quantity(trace)
    assert len(found) == len(rows(trace)) == 1 + 3 * (3 + 3 + 2) + 5
    assert found["next_token_entropy_nats", None, None].value == next_token_entropy_nats(trace) == 2.5
    for variant in VARIANTS:
        gain = residual_gain(trace, variant)
        assert found[f"last_gain_{variant}", None, None].value == gain.last_gain
        assert found[f"residual_norm_{variant}", 2, None].value == gain.norms[2]
        assert found[f"residual_gain_{variant}", 1, None].value == gain.gains[1]
    assert all(row.status == "ok" for row in found.values())


def test_top_tokens_have_text_and_probability_and_without_text_a_number(trace):
    assert [token.text for token in top_tokens(trace)] == [" Paris", " the", "!", "token 0", "x"]
    assert [token.probability for token in top_tokens(trace)] == pytest.approx([0.6, 0.3, 0.05, 0.03, 0.01])
    first = by_quantity(trace)["top_token", None, 1]
    assert (first.text, first.value) == (" Paris", pytest.approx(0.6))
    assert top_tokens(gain_trace(BY_HAND, top_tokens=()))[0].text == "token 3"


def test_old_records_without_top_tokens_can_be_read(trace):
    raw = trace.info.to_json()
    assert TraceInfo.from_json(raw) == trace.info
    del raw["top_tokens"]
    assert TraceInfo.from_json(raw).top_tokens == ()


def test_the_table_keeps_texts(trace, tmp_path):
    path = tmp_path / "residual_gain" / "m" / "baseline.parquet"
    path.parent.mkdir(parents=True)
    write_rows(per_prompt_table([trace], rows), path)
    table = read_metrics([str(path)])
    assert list(table.columns) == [*COLUMNS, "metric"]
    assert set(table["metric"]) == {"residual_gain"}
    ranked = table[table["quantity"] == "top_token"].sort_values("rank")
    assert list(ranked["text"]) == [" Paris", " the", "!", "token 0", "x"]
    assert table.loc[table["quantity"] != "top_token", "text"].isna().all()


def test_the_metric_is_exported(trace):
    assert metrics.residual_gain(trace).last_gain == residual_gain(trace).last_gain


# ---- degenerate ---------------------------------------------------------------------------------------------


def test_a_prompt_of_one_token_has_no_norm_without_the_first():
    trace = gain_trace(np.ones((3, 1, 2)))
    found = by_quantity(trace)
    row = found["last_gain_excluding_first", None, None]
    assert np.isnan(row.value)
    assert row.status == "one token: nothing is left without the first"
    assert found["residual_norm_excluding_first", 2, None].status == row.status
    assert found["last_gain_whole", None, None].status == found["last_gain_last_position", None, None].status == "ok"


@pytest.mark.parametrize(("value", "word"), [(0.0, "zero"), (np.inf, "not finite"), (np.nan, "not finite")])
def test_a_bad_norm_is_named_by_its_layer_and_touches_only_its_neighbours(value, word):
    residuals = np.ones((4, 2, 2))
    residuals[1] = value
    found = by_quantity(gain_trace(residuals))
    status = f"the norm is {word}, first at residual 1"
    assert found["residual_gain_whole", 1, None].status == status
    assert found["residual_gain_whole", 2, None].status == "ok"
    assert found["last_gain_whole", None, None].value == 1
    assert found["last_gain_whole", None, None].status == "ok"


def test_a_vanishing_stream_has_gain_zero_and_no_logarithm():
    residuals = np.ones((3, 2, 2))
    residuals[2] = 0
    found = by_quantity(gain_trace(residuals))
    assert found["last_gain_whole", None, None].value == 0
    assert found["log_cumulative_gain_whole", None, None].status == "the norm is zero, first at residual 2"


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_a_deep_model_leaves_the_range_of_floats_but_its_logarithm_does_not(factor):
    gain = Gain(factor ** np.arange(-60.0, 61.0))
    assert gain.cumulative_gain in (0.0, np.inf)
    assert gain.log_cumulative_gain == pytest.approx(120 * np.log(factor))
    found = {row.quantity: row for row in _variant_rows("whole", gain) if row.layer is None}
    assert found["cumulative_gain_whole"].status == OUT_OF_RANGE
    assert found["log_cumulative_gain_whole"].status == "ok"
