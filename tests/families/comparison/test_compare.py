"""Conditions against the baseline: golden values, intervals against scipy, statuses, and the published layout."""

import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.comparison.compare import compare
from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.families.information.information_package import (
    METRICS,
    published_predictions,
    published_tables,
    with_texts,
    write_folder,
)
from internal_physics.statistics.paired import paired_changes, resampling_weights
from internal_physics.tables.conform import conform
from scipy_intervals import RESAMPLING, SEED, paired_bca

OPTIONS = {"seed": 0, "n_resamples": 999, "confidence_level": 0.95}
RNG = np.random.default_rng(0)


# ---- intervals ----------------------------------------------------------------------------------------------------


def test_values_are_those_of_the_definitions():
    baseline, steered = np.array([[1.0], [2.0], [5.0]]), np.array([[2.0], [1.0], [8.0]])
    found = paired_changes(baseline, steered, **OPTIONS)
    assert found["difference"].value == pytest.approx([1.0])
    assert found["absolute_difference"].value == pytest.approx([5 / 3])
    assert found["percent_change"].value == pytest.approx([37.5])


MEASURES = {
    "difference": lambda b, s, axis=-1: (s - b).mean(axis),
    "absolute_difference": lambda b, s, axis=-1: np.abs(s - b).mean(axis),
    "percent_change": lambda b, s, axis=-1: 100 * (s - b).mean(axis) / np.abs(b.mean(axis)),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_intervals_are_those_of_scipys_paired_bootstrap(measure):
    baseline = RNG.gamma(2.0, size=(40, 3))
    steered = 1.2 * baseline + 0.3 * RNG.standard_normal(baseline.shape)
    found = paired_changes(baseline, steered, seed=SEED, **RESAMPLING)[measure]
    for q in range(3):
        expected = paired_bca(baseline[:, q], steered[:, q], MEASURES[measure])
        assert (found.low[q], found.high[q]) == pytest.approx(expected, rel=1e-9)


def test_about_95_of_100_intervals_hold_the_truth():
    held = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        baseline = rng.standard_normal((25, 1))
        found = paired_changes(
            baseline, baseline + rng.exponential(size=(25, 1)), seed=trial, n_resamples=400, confidence_level=0.95
        )["difference"]
        held += bool(found.low[0] <= 1.0 <= found.high[0])
    assert 0.87 <= held / 200 <= 0.99


def test_degenerate_cases():
    constant = paired_changes(np.ones((5, 1)), np.full((5, 1), 1.5), **OPTIONS)
    assert [constant["difference"].low[0], constant["difference"].high[0]] == pytest.approx([0.5, 0.5])
    nothing = paired_changes(np.ones((5, 1)), np.ones((5, 1)), **OPTIONS)
    assert nothing["difference"].low[0] == nothing["difference"].high[0] == nothing["percent_change"].value[0] == 0.0
    alone = paired_changes(np.ones((1, 1)), 2 * np.ones((1, 1)), **OPTIONS)["difference"]
    assert alone.value[0] == 1.0
    assert math.isnan(alone.low[0])
    zero = paired_changes(np.zeros((5, 1)), np.ones((5, 1)), **OPTIONS)["percent_change"]
    assert math.isnan(zero.value[0])
    with pytest.raises(ValueError, match="not finite"):
        paired_changes(np.full((2, 1), np.nan), np.ones((2, 1)), **OPTIONS)


def test_the_seed_decides_and_quantities_do_not_depend_on_their_neighbors():
    baseline, steered = RNG.random((9, 4)), RNG.random((9, 4))
    whole = paired_changes(baseline, steered, **OPTIONS)["difference"]
    part = paired_changes(baseline[:, 2:3], steered[:, 2:3], **OPTIONS)["difference"]
    assert part.low[0] == pytest.approx(whole.low[2], rel=1e-12)
    assert np.array_equal(resampling_weights(9, 50, 1), resampling_weights(9, 50, 1))
    np.testing.assert_allclose(resampling_weights(9, 50, 1).sum(axis=1), 1.0)


# ---- the table ----------------------------------------------------------------------------------------------------


def metric_rows(values, *, condition, metric="ec", quantity="ec", layer=None, statuses=None, model="m", prompt_set="s"):
    n = len(values)
    return pd.DataFrame(
        {
            "model": model,
            "condition": condition,
            "prompt_set": prompt_set,
            "prompt": [f"p{i}" for i in range(n)],
            "n_tokens": 3,
            "loss_nats": np.arange(n) + (1.0 if condition == "baseline" else 2.0),
            "layer": pd.array([layer] * n, dtype="Int64"),
            "rank": pd.array([None] * n, dtype="Int64"),
            "quantity": quantity,
            "value": values,
            "status": statuses or ["ok"] * n,
            "text": None,
            "metric": metric,
        }
    )


def test_every_watched_token_is_compared_with_itself():
    def watched(token, values, condition):
        rows = metric_rows(values, condition=condition, metric="information", quantity="probability", layer=2)
        return rows.assign(text=token)

    x, y = [0.1, 0.2, 0.3], [0.5, 0.5, 0.8]
    steered = [watched(" x", y, "push"), watched(" y", x, "push")]
    found = table(watched(" x", x, "baseline"), watched(" y", y, "baseline"), *steered)
    differences = found[(found["quantity"] == "probability") & (found["measure"] == "difference")]
    assert dict(zip(differences["token"], differences["value"], strict=True)) == pytest.approx({" x": 0.4, " y": -0.4})
    assert found.loc[found["quantity"] == "loss_nats", "token"].isna().all()
    conform(found, COMPARISONS)


def set_row(value, *, condition, quantity="isf", rank=None):
    row = metric_rows([value], condition=condition, metric="isf", quantity=quantity)
    return row.assign(prompt=None, loss_nats=np.nan, rank=pd.array([rank], dtype="Int64"))


BEFORE, AFTER = [1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 5.0, 5.0]


def table(*frames):
    return compare(pd.concat(frames, ignore_index=True), **OPTIONS)


def row(found, quantity, measure="difference", layer=None, condition="push"):
    here = found[(found.quantity == quantity) & (found.measure == measure) & (found.condition == condition)]
    here = here[here.layer.isna() if layer is None else here.layer == layer]
    assert len(here) == 1
    return here.iloc[0]


def test_golden_values_per_prompt_per_layer_per_set_and_of_the_loss():
    found = table(
        metric_rows(BEFORE, condition="baseline"),
        metric_rows(AFTER, condition="push"),
        metric_rows(BEFORE, condition="baseline", quantity="e", layer=0),
        metric_rows(AFTER, condition="push", quantity="e", layer=0),
        set_row(0.5, condition="baseline"),
        set_row(0.4, condition="push"),
    )
    first = row(found, "ec")
    assert (first.baseline, first.steered, first.value, first.n_prompts, first.status) == (2.5, 3.5, 1.0, 4, "ok")
    assert 0.0 <= first.ci_low < 1.0 < first.ci_high <= 2.0
    assert row(found, "ec", "percent_change").value == pytest.approx(40.0)
    assert row(found, "e", layer=0).value == 1.0
    assert row(found, "loss_nats").value == 1.0
    of_set = row(found, "isf")
    assert of_set.value == pytest.approx(-0.1)
    assert (of_set.status, of_set.interval_status) == ("ok", "one number of the set: no interval")
    assert row(found, "isf", "percent_change").value == pytest.approx(-20.0)
    assert list(found.columns) == list(COMPARISONS.columns)
    conform(found, COMPARISONS)


def test_numbers_of_a_set_that_are_infinite_in_both_conditions_have_a_status():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = table(*(set_row(np.inf, condition=c) for c in ("baseline", "push")))
    assert found["value"].isna().all()
    assert set(found["status"]) == {"no value in one of the conditions"}


def test_ranks_and_interval_ends_of_other_tables_are_not_compared():
    frames = [set_row(1.0, condition=c, rank=1, quantity="eigenvalue") for c in ("baseline", "push")]
    frames += [set_row(1.0, condition=c, quantity="isf_ci_low") for c in ("baseline", "push")]
    assert table(*frames, metric_rows(BEFORE, condition="baseline")).empty


def test_prompts_without_a_number_in_both_are_left_out_and_counted():
    statuses = ["ok", "zero gradient", "ok", "ok"]
    found = table(
        metric_rows(BEFORE, condition="baseline", statuses=statuses),
        metric_rows([2.0, 2.0, np.nan, 6.0], condition="push"),
    )
    first = row(found, "ec")
    assert (first.n_prompts, first.value) == (2, 1.5)
    assert first.status == "2 of 4 prompts left out: no number in one of the conditions"
    assert row(found, "loss_nats").n_prompts == 4


def test_no_prompt_one_prompt_and_a_zero_mean_have_a_status():
    gone = table(metric_rows([np.nan], condition="baseline"), metric_rows([1.0], condition="push"))
    assert row(gone, "ec").n_prompts == 0
    assert math.isnan(row(gone, "ec").value)
    assert "1 of 1 prompts left out" in row(gone, "ec").status
    one = table(metric_rows([1.0], condition="baseline"), metric_rows([2.0], condition="push"))
    assert row(one, "ec").status == "one prompt: no interval"
    zero = table(metric_rows([-1.0, 1.0], condition="baseline"), metric_rows([2.0, 3.0], condition="push"))
    assert row(zero, "ec", "percent_change").status == "no value: the baseline's mean is zero"
    assert row(zero, "ec").status == "ok"


def test_every_condition_is_compared_with_its_own_models_baseline():
    found = table(
        *(metric_rows(BEFORE, condition="baseline", model=m) for m in ("m", "other")),
        metric_rows(AFTER, condition="push"),
        metric_rows([x + 10 for x in BEFORE], condition="pull"),
    )
    assert set(zip(found.model, found.condition, strict=True)) == {("m", "push"), ("m", "pull")}
    assert row(found, "ec", condition="pull").value == 10.0
    alone = table(metric_rows(BEFORE, condition="baseline"), metric_rows(AFTER, condition="push"))
    assert row(alone, "ec").ci_low == row(found, "ec").ci_low  # its own seed, whatever else is compared


def test_without_conditions_the_table_is_empty_and_whole():
    found = conform(table(metric_rows(BEFORE, condition="baseline")), COMPARISONS)
    assert found.empty


# ---- the published layout -----------------------------------------------------------------------------------------


def information_rows(condition, shift=0.0):
    keys = {"model": "m", "condition": condition, "prompt_set": "s", "quantity": "entropy_nats"}
    texts = ("One text.", "Two, texts.")
    return pd.DataFrame(
        [
            {**keys, "prompt": f"p{i}", "text": text, "layer": layer, "value": 1.0 + i + layer + shift}
            for i, text in enumerate(texts)
            for layer in range(3)
        ]
    )


def test_data_files_have_a_row_per_sentence_and_four_per_comparison(tmp_path):
    rows = pd.concat([information_rows("baseline"), information_rows("push", 0.5)])
    tables = published_tables(rows)
    assert list(tables) == [
        "standard/data/m_entropy_nats.csv",
        "control/data/push_m_entropy_nats.csv",
        "comparative/data/push_m_entropy_nats.csv",
    ]
    write_folder(tables, tmp_path)
    for analysis in ("standard", "control", "comparative"):
        assert {p.name for p in (tmp_path / analysis).iterdir()} == {"data", "plots", "predictions"}
    read = pd.read_csv(tmp_path / "comparative/data/push_m_entropy_nats.csv")
    assert list(read.columns) == ["sentence", "values"]
    assert list(read["sentence"][:4]) == [
        "One text. (standard)",
        "One text. (control)",
        "One text. (difference)",
        "One text. (percent_change)",
    ]
    values = [json.loads(text) for text in read["values"][:4]]
    assert values[:3] == [[1.0, 2.0, 3.0], [1.5, 2.5, 3.5], [0.5, 0.5, 0.5]]
    assert values[3] == pytest.approx([50.0, 25.0, 50 / 3])
    assert len(read) == 8


def test_what_is_not_finite_is_null_and_unknown_quantities_stay_out():
    rows = information_rows("baseline")
    rows.loc[rows.layer == 0, "value"] = np.nan
    tables = published_tables(pd.concat([rows, rows.assign(quantity="rank")]))
    assert list(tables) == ["standard/data/m_entropy_nats.csv"]
    assert json.loads(tables["standard/data/m_entropy_nats.csv"]["values"][0])[0] is None
    assert len(METRICS) == 6


def test_predictions_say_which_analysis_they_belong_to():
    columns = {"model": "m", "text": "One text.", "token": [" a", " b"], "probability": [0.6, 0.4], "rank": [1, 2]}
    both = pd.concat([pd.DataFrame({**columns, "condition": c}) for c in ("baseline", "push")])
    tables = published_predictions(both)
    assert list(tables["standard/predictions/m_predictions.csv"].columns) == [
        "Sentence",
        "Token",
        "Probability",
        "Analysis",
    ]
    compared = tables["comparative/predictions/push_m_predictions.csv"]
    assert list(compared["Analysis"]) == ["standard", "standard", "control", "control"]


def test_rows_get_the_text_of_their_own_prompt_and_flagged_values_are_none():
    keys = {"model": "m", "condition": "baseline", "prompt_set": "s"}
    rows = [{**keys, "prompt": p, "value": 1.0, "status": s} for p, s in (("a", "ok"), ("b", "not finite"))]
    prompts = [{"model": "m", "prompt_set": "s", "prompt": p, "text": f"text {p}"} for p in "bac"]
    found = with_texts(pd.DataFrame(rows), pd.DataFrame(prompts))
    assert list(found.text) == ["text a", "text b"]
    assert found.value[0] == 1.0
    assert np.isnan(found.value[1])
