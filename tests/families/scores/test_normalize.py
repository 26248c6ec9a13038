"""Normalized scores: hand computations, degenerate groups, refusals and properties."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.families.scores.normalize import normalize_scores
from internal_physics.families.scores.tables import SCORES_NORMALIZED
from internal_physics.ground.errors import ConfigError

metric_values = st.floats(0, 1e6, allow_subnormal=False)


@pytest.fixture(autouse=True)
def no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def table(values, *, metric="ec", prompt_set="factual", condition="baseline", status="ok"):
    """Rows of table `scores`, one per model, named a, b, c, ..."""
    return pd.DataFrame(
        {
            "model": [chr(ord("a") + i) for i in range(len(values))],
            "condition": condition,
            "prompt_set": prompt_set,
            "metric": metric,
            "value": np.asarray(values, dtype=float),
            "ci_low": math.nan,
            "ci_high": math.nan,
            "n_prompts": 20,
            "status": status,
        }
    )


def test_by_hand():
    # Inverses 1, 1/2, 1/4: the middle one lies a third of the way up.
    result = normalize_scores(table([1.0, 2.0, 4.0]))
    assert list(result.columns) == [name for name in SCORES_NORMALIZED.columns if name != "unit"]
    assert result["score"].tolist() == pytest.approx([1.0, 1 / 3, 0.0], abs=1e-8)
    assert result["status"].tolist() == ["ok"] * 3


def test_zero_is_the_best_value_and_epsilon_sets_its_inverse():
    result = normalize_scores(table([0.0, 1.0, 3.0]), epsilon=1.0)  # inverses 1, 1/2, 1/4
    assert result["score"].tolist() == pytest.approx([1.0, 1 / 3, 0.0])


@pytest.mark.parametrize("values", [[0.3, 0.1 + 0.2], [1e-30, 2e-30], [0.0, 1e-25]], ids=["rounding", "tiny", "zero"])
def test_values_that_rounding_or_epsilon_makes_equal_are_neither_best_nor_worst(values):
    result = normalize_scores(table(values))
    assert result["score"].tolist() == [0.5, 0.5]
    assert result["status"].str.startswith("the models differ by rounding").all()
    assert normalize_scores(table([0.3, 0.3]))["status"].tolist() == ["ok", "ok"]
    assert normalize_scores(table([0.3, 0.3 * (1 + 1e-9)]))["score"].tolist() == [1.0, 0.0]


def test_groups_are_independent_and_rows_keep_their_order():
    groups = [
        table([1.0, 2.0]),
        table([9.0, 3.0], metric="isc"),
        table([5.0, 6.0], prompt_set="nonsense"),
        table([8.0, 7.0], condition="steered"),
    ]
    scores = pd.concat(groups).sample(frac=1, random_state=3)  # a repeated, shuffled index
    result = normalize_scores(scores)
    keys = ["model", "condition", "prompt_set", "metric"]
    pd.testing.assert_frame_equal(result[keys], scores[keys].reset_index(drop=True))
    assert result.index.tolist() == list(range(8))
    best = result[result["score"] == 1.0]
    assert set(zip(best["model"], best["metric"], best["prompt_set"], best["condition"], strict=True)) == {
        ("a", "ec", "factual", "baseline"),
        ("b", "isc", "factual", "baseline"),
        ("a", "ec", "nonsense", "baseline"),
        ("b", "ec", "factual", "steered"),
    }


@pytest.mark.parametrize("value", [0.0, 3.3])
def test_equal_values_get_one_half(value):
    result = normalize_scores(table([value] * 3))
    assert result["score"].tolist() == [0.5] * 3
    assert result["status"].tolist() == ["ok"] * 3


def test_one_model_has_nothing_to_compare_with():
    result = normalize_scores(table([2.0]))
    assert result["score"].tolist() == [0.5]
    assert result["status"].tolist() == ["one model: nothing to compare with"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_left_out(bad):
    result = normalize_scores(table([1.0, bad, 2.0, 4.0]))
    assert result["score"].tolist() == pytest.approx([1.0, math.nan, 1 / 3, 0.0], abs=1e-8, nan_ok=True)
    assert result["status"].tolist() == ["ok", f"value is {bad}: no score", "ok", "ok"]


def test_the_only_finite_value_stands_alone():
    result = normalize_scores(table([math.nan, 2.0]))
    assert math.isnan(result["score"][0]) and result["score"][1] == 0.5
    assert result["status"].tolist() == ["value is nan: no score", "one model: nothing to compare with"]


def test_no_finite_value():
    result = normalize_scores(table([math.nan, math.inf]))
    assert result["score"].isna().all()
    assert result["status"].tolist() == ["value is nan: no score", "value is inf: no score"]


def test_a_status_that_came_with_a_score_is_kept():
    scores = table([1.0, math.nan, 2.0])
    scores["status"] = ["one prompt: no interval", "fewer than 3 prompts", "ok"]
    assert normalize_scores(scores)["status"].tolist() == [
        "one prompt: no interval",
        "fewer than 3 prompts",
        "ok",
    ]
    alone = normalize_scores(table([1.0], status="one prompt: no interval"))
    assert alone["status"].tolist() == ["one prompt: no interval; one model: nothing to compare with"]


def test_the_values_at_both_ends_are_columns():
    result = normalize_scores(table([1.0, 2.0, math.nan, 4.0]))
    assert result["value_at_0"].tolist() == [4.0] * 4
    assert result["value_at_1"].tolist() == [1.0] * 4


def test_a_scale_of_another_run_sets_both_ends():
    # Inverses of the scale: 1/8 to 1. Of the models: 1/2, 1/4, and two beyond it.
    result = normalize_scores(table([2.0, 4.0, 0.5, 16.0]), scale=table([1.0, 8.0, 3.0, math.nan]))
    assert result["score"].tolist() == pytest.approx([3 / 7, 1 / 7, 1.0, 0.0], abs=1e-8)
    assert result["status"].tolist() == ["ok", "ok", *["beyond the models of the scale"] * 2]
    assert set(zip(result["value_at_0"], result["value_at_1"], strict=True)) == {(8.0, 1.0)}


def test_a_single_model_has_a_place_on_the_scale_of_another_run():
    result = normalize_scores(table([2.0]), scale=table([1.0, 4.0]))
    assert result["score"].tolist() == pytest.approx([1 / 3], abs=1e-8)
    assert result["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    "scale", [table([3.0, 3.0]), table([3.0]), table([1.0, 2.0], prompt_set="elsewhere"), table([])]
)
def test_a_scale_without_two_different_values_gives_no_score(scale):
    result = normalize_scores(table([1.0, 2.0]), scale=scale)
    assert result["score"].isna().all()
    assert set(result["status"]) == {"the scale has no two different values here: no score"}


def test_only_normalized_metrics_of_the_scale_are_used():
    scale = pd.concat([table([1.0, 4.0]), table([-20.0, -30.0], metric="free_energy")])
    result = normalize_scores(table([2.0]), metrics=["ec"], scale=scale)
    assert result["score"].tolist() == pytest.approx([1 / 3], abs=1e-8)


def test_a_negative_value_in_the_scale_is_refused():
    with pytest.raises(ValueError, match="expected zero or more"):
        normalize_scores(table([1.0, 2.0]), scale=table([-1.0, 2.0]))


def test_negative_values_are_refused_by_name():
    with pytest.raises(ValueError, match=r"ec of b on factual \(baseline\) is -0.5: expected zero or more"):
        normalize_scores(table([1.0, -0.5]))


def test_a_model_twice_is_refused_by_name():
    with pytest.raises(ValueError, match=r"ec of a on factual \(baseline\) occurs twice"):
        normalize_scores(pd.concat([table([1.0]), table([2.0])]))


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_epsilon_must_be_above_zero(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        normalize_scores(table([1.0, 2.0]), epsilon=epsilon)


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match="prompt_set"):
        normalize_scores(table([1.0]).drop(columns="prompt_set"))


def test_an_empty_table_stays_empty_with_its_columns():
    result = normalize_scores(table([]))
    assert list(result.columns) == [name for name in SCORES_NORMALIZED.columns if name != "unit"] and len(result) == 0


def test_the_input_is_left_alone():
    scores = table([1.0, math.nan, 2.0])
    before = scores.copy(deep=True)
    normalize_scores(scores)
    pd.testing.assert_frame_equal(scores, before)


@settings(deadline=None, max_examples=60)
@given(st.lists(metric_values, min_size=2, max_size=8))
def test_range_best_worst_and_order_reversed(values):
    score = normalize_scores(table(values))["score"].to_numpy()
    assert ((score >= 0) & (score <= 1)).all()
    if len(set(score)) == 1:
        assert (score == 0.5).all()
    else:
        assert score[np.argmin(values)] == 1.0 and score[np.argmax(values)] == 0.0
    assert (np.diff(score[np.argsort(values, kind="stable")]) <= 0).all()


@settings(deadline=None, max_examples=40)
@given(st.lists(metric_values, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_models_does_not_matter(values, random):
    scores = table(values)
    order = random.sample(range(len(values)), len(values))
    shuffled = normalize_scores(scores.iloc[order]).sort_values("model", ignore_index=True)
    pd.testing.assert_frame_equal(shuffled, normalize_scores(scores))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=8))
def test_min_max_is_affine_and_idempotent(values):
    inverse = 1 / (np.array(values) + 1e-9)
    score = normalize_scores(table(values))["score"].to_numpy()
    if np.ptp(inverse) > 0:
        assert inverse.min() + score * np.ptp(inverse) == pytest.approx(inverse, rel=1e-9)
        assert (score - score.min()) / np.ptp(score) == pytest.approx(score, abs=1e-12)


def test_a_scale_of_another_target_is_refused():
    """Gradients of a logit have another size than those of the loss."""
    scores = table([1.0, 2.0]).assign(target="loss")
    normalize_scores(scores, scale=scores)
    with pytest.raises(ConfigError, match="gradients of the loss, those of the scale of the logit"):
        normalize_scores(scores, scale=scores.assign(target="logit"))
