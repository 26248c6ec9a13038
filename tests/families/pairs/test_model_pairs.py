"""Table `model_pairs`: every two models on the same prompts, with statuses, one adjustment, and few findings by
chance."""

import math

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.pairs.model_pairs import OF_THE_SET, pair_files
from internal_physics.families.pairs.tables import ALL_SETS
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.statistics.many_tests import adjust_false_discovery
from internal_physics.statistics.matched import compare_matched
from internal_physics.tables.rows import write_rows
from internal_physics.tables.write import write_table
from paired_models import NAN, SETTINGS, THREE, metric_rows, only, pairs, set_rows, texts_of, the
from read_prompts import prompts_read_of

# ---- rows ---------------------------------------------------------------------------------------------------------


def test_every_two_models_are_compared_once_with_the_earlier_one_as_reference():
    found = only(pairs(metric_rows("ec", THREE)), metric="ec")
    assert list(zip(found["model"], found["reference"], strict=True)) == [("b", "a"), ("c", "a"), ("c", "b")]
    other = only(pairs(metric_rows("ec", THREE), models="cba"), metric="ec")
    assert list(zip(other["model"], other["reference"], strict=True)) == [("b", "c"), ("a", "c"), ("a", "b")]


def test_a_row_holds_what_matched_samples_give():
    row = the(pairs(metric_rows("ec", THREE)), metric="ec", model="b", reference="a")
    assert (row.value, row.reference_value, row.difference) == (3.125, 2.5, 0.625)
    assert row.ratio == pytest.approx(1.25)
    assert (row.n_prompts, row.status, row.test_status) == (4, "ok", "ok")
    assert row.p == pytest.approx(8 / 16)  # exact: half of the patterns of (1, -1, 2, 0.5) have a sum of 2.5 or more


def test_the_loss_is_compared_too():
    losses = {"a": [1.0, 2.0, 3.0], "b": [2.0, 3.0, 4.0]}
    found = pairs(metric_rows("ec", {m: [1.0, 2.0, 3.0] for m in "ab"}, losses=losses))
    assert the(found, metric="loss").difference == pytest.approx(1.0)
    assert the(found, metric="ec").difference == 0.0


def test_a_pair_and_its_mirror_say_the_same():
    one, other = pairs(metric_rows("ec", THREE)), pairs(metric_rows("ec", THREE), models="cba")
    row, mirrored = the(one, metric="ec", model="b", reference="a"), the(other, metric="ec", model="a", reference="b")
    assert row.difference == -mirrored.difference
    assert row.ratio == pytest.approx(1 / mirrored.ratio, rel=1e-12)
    assert (row.ci_low, row.ratio_ci_high) == pytest.approx((-mirrored.ci_high, 1 / mirrored.ratio_ci_low), rel=1e-9)
    assert (row.p, row.p_adjusted) == (mirrored.p, mirrored.p_adjusted)


def test_numbers_of_a_pair_depend_on_no_other_model_metric_or_set():
    alone = pairs(metric_rows("ec", {m: THREE[m] for m in "ab"}))
    more = pairs(metric_rows("ec", THREE), metric_rows("isa", THREE), metric_rows("ec", THREE, prompt_set="t"))
    where = {"metric": "ec", "model": "b", "prompt_set": "s"}
    columns = ["difference", "ci_low", "ci_high", "ratio", "ratio_ci_low", "ratio_ci_high", "p"]
    np.testing.assert_allclose(
        only(only(alone, **where), reference="a")[columns],
        only(only(more, **where), reference="a")[columns],
        rtol=1e-12,
    )


def test_conditions_are_compared_apart():
    found = pairs(metric_rows("ec", THREE), metric_rows("ec", {m: THREE[m] for m in "ab"}, condition="push"))
    assert len(only(found, metric="ec", condition="baseline")) == 3
    assert len(only(found, metric="ec", condition="push")) == 1


def test_models_without_a_common_prompt_set_are_not_compared():
    found = pairs(
        metric_rows("ec", {m: THREE[m] for m in "ab"}), metric_rows("ec", {"c": THREE["c"]}, prompt_set="gaps")
    )
    assert set(zip(found["model"], found["reference"], strict=True)) == {("b", "a")}


def test_one_model_alone_gives_an_empty_table():
    assert pairs(metric_rows("ec", {"a": [1.0, 2.0]})).empty
    assert pair_files([], "unread.parquet", ["a"], **SETTINGS).empty


# ---- all sets -----------------------------------------------------------------------------------------------------


def test_all_sets_hold_the_prompts_of_all_sets_once():
    two = {m: THREE[m] for m in "ab"}
    rows = [metric_rows("ec", two, prompt_set=name) for name in "st"]
    places = texts_of(pd.concat(rows))
    found = pairs(*rows)
    assert the(found, metric="ec", prompt_set=ALL_SETS).n_prompts == 8
    shared = places.assign(text=["same", *places["text"][1:4], "same", *places["text"][5:]])
    assert the(pairs(*rows, texts=shared), metric="ec", prompt_set=ALL_SETS).n_prompts == 7
    gaps = shared.assign(text=shared["text"] + " [MASK]", answer=[f"answer {i}" for i in range(8)])
    assert the(pairs(*rows, texts=gaps), metric="ec", prompt_set=ALL_SETS).n_prompts == 8
    expected = compare_matched(*(np.array([two[m] * 2]).T for m in "ba"), **SETTINGS)
    assert the(found, metric="ec", prompt_set=ALL_SETS).difference == pytest.approx(expected.difference.value[0])


def test_a_single_set_is_not_repeated_as_all_sets_and_isf_has_no_number_of_all_sets():
    assert set(pairs(metric_rows("ec", THREE))["prompt_set"]) == {"s"}
    rows = [
        part for name in "st" for part in (metric_rows("ec", THREE, prompt_set=name), set_rows({"a": 0.1, "b": 0.2}))
    ]
    found = pairs(rows[0], rows[1], rows[2])
    assert set(only(found, metric="isf")["prompt_set"]) == {"s"}
    assert set(only(found, prompt_set=ALL_SETS)["metric"]) == {"ec", "loss"}


# ---- missing numbers ----------------------------------------------------------------------------------------------


def test_a_number_of_the_whole_set_has_no_interval_and_says_so_but_is_not_flagged():
    row = the(pairs(metric_rows("ec", THREE), set_rows({"a": 0.2, "b": 0.3})), metric="isf", model="b")
    assert (row.status, row.test_status, row.n_prompts) == ("ok", OF_THE_SET, 4)
    assert row.difference == pytest.approx(0.1) and row.ratio == pytest.approx(1.5)
    assert np.isnan([row.ci_low, row.ci_high, row.ratio_ci_low, row.p, row.p_adjusted]).all()


def test_a_set_without_a_number_in_one_model_says_so():
    row = the(pairs(metric_rows("ec", THREE), set_rows({"a": 0.2, "b": NAN})), metric="isf", model="b")
    assert row.status == "no value in one of the models"
    assert np.isnan([row.difference, row.ratio]).all()


def test_prompts_without_a_number_are_left_out_and_counted():
    sick = {"a": [1.0, NAN, 3.0, 4.0], "b": [2.0, 3.0, 9.0, 5.0]}
    statuses = {"a": ["ok", "zero gradient", "ok", "ok"], "b": ["ok", "ok", "doubtful", "ok"]}
    row = the(pairs(metric_rows("ec", sick, statuses=statuses)), metric="ec")
    assert row.status == "2 of 4 prompts left out: no value in one of the models"
    assert (row.n_prompts, row.difference) == (2, 1.0)


@pytest.mark.parametrize(
    ("n_usable", "status"),
    [
        (0, "3 of 3 prompts left out: no value in one of the models; no prompts: nothing to compare"),
        (1, "2 of 3 prompts left out: no value in one of the models; one prompt: no interval and no test"),
    ],
)
def test_too_few_prompts_have_no_test_and_say_so(n_usable, status):
    values = [1.0] * n_usable + [NAN] * (3 - n_usable)
    statuses = {"a": ["ok"] * n_usable + ["sick"] * (3 - n_usable)}
    row = the(pairs(metric_rows("ec", {"a": values, "b": [2.0] * 3}, statuses=statuses)), metric="ec")
    assert row.status == status
    assert np.isnan([row.ci_low, row.p, row.p_adjusted]).all()


def test_models_that_give_the_same_numbers_do_not_differ():
    found = pairs(metric_rows("ec", {m: [1.0, 2.0, 3.0] for m in "ab"}))
    row = the(found, metric="ec")
    assert (row.difference, row.ci_low, row.ci_high, row.ratio, row.p) == (0.0, 0.0, 0.0, 1.0, 1.0)


def test_a_score_that_can_be_zero_has_no_ratio_and_is_ok():
    row = the(pairs(metric_rows("ec", {"a": [0.0, 1.0, 2.0], "b": [1.0, 2.0, 3.0]})), metric="ec")
    assert row.status == "ok" and math.isnan(row.ratio)


def test_all_p_values_are_adjusted_together_and_those_not_tested_do_not_count():
    found = pairs(metric_rows("ec", THREE), metric_rows("isa", THREE, prompt_set="t"), set_rows({"a": 0.1, "b": 0.2}))
    np.testing.assert_array_equal(found["p_adjusted"], adjust_false_discovery(found["p"]))
    assert (found["p"].isna() == (found["metric"] == "isf")).all()


def test_the_same_seed_gives_the_same_table_and_another_one_other_draws():
    rng = np.random.default_rng(0)
    rows = metric_rows("ec", {m: rng.gamma(2.0, size=15) for m in "ab"})
    pd.testing.assert_frame_equal(pairs(rows), pairs(rows))
    assert pairs(rows)["ci_low"][0] != pairs(rows, seed=1)["ci_low"][0]


def test_from_files_it_is_the_same_table(tmp_path):
    rows = pd.concat(
        [metric_rows("ec", THREE), set_rows({"a": 0.1, "b": 0.2}), metric_rows("ec", THREE, prompt_set="t")]
    )
    paths = []
    for (metric, model), part in rows.groupby(["metric", "model"]):
        paths.append(str(tmp_path / metric / model / "baseline.parquet"))
        (tmp_path / metric / model).mkdir(parents=True)
        write_rows(part.drop(columns="metric"), paths[-1])
    read = pd.concat([texts_of(rows).assign(model=m) for m in "abc"])
    read = prompts_read_of(read, text=read["text"].to_numpy())
    write_table(read, PROMPTS_READ, csv=tmp_path / "r.csv", parquet=tmp_path / "r.parquet")
    found = pair_files(paths, tmp_path / "r.parquet", list("abc"), **SETTINGS)
    columns = ["prompt_set", "metric", "model", "reference"]
    expected = pairs(rows).sort_values(columns, ignore_index=True)
    found = found.sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected.drop(columns="unit"), check_dtype=False)
