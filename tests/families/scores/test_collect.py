"""Collecting: metric rows of all models into tables; values that are not finite are always reported."""

import math

import numpy as np
import pandas as pd
import pytest
from hand_traces import make_trace
from internal_physics.families import registry
from internal_physics.families.gradient_flow.isf import isf
from internal_physics.families.gradient_flow.isf import rows as isf_rows
from internal_physics.families.gradient_flow.scores import ec, ec_rows, isc_rows
from internal_physics.families.registry import METRICS, TABLES, score_units
from internal_physics.families.scores.collect import collect
from internal_physics.ground.errors import StoreError
from internal_physics.statistics.bootstrap import mean_interval
from internal_physics.tables.conform import conform
from internal_physics.tables.measure import COLUMNS, per_prompt_table, per_set_table
from internal_physics.tables.units import with_units
from read_prompts import prompts_read_of

SCORED = registry.scored(registry.METRICS)
SETTINGS = {"seed": 0, "n_resamples": 99, "confidence_level": 0.95}
NAN, INF = math.nan, math.inf


def prompt_rows(metric, values, *, model="m", prompt_set="s", losses=None, statuses=None, layers=()):
    """One row per prompt p0, p1, ... with a metric's value, and rows of layers for each."""
    found = []
    for i, value in enumerate(values):
        keys = (model, "baseline", prompt_set, f"p{i}", 5 + i, (losses or [1.0 + i] * (i + 1))[i])
        status = (statuses or ["ok"] * len(values))[i]
        found.append((*keys, None, None, metric, value, status))
        found += [(*keys, layer, None, "relative_gradient_change", v, "ok") for layer, v in enumerate(layers)]
    return table(metric, found)


def set_rows(value, eigenvalues, *, model="m", prompt_set="s", status="ok", ci=(0.1, 0.3)):
    """ISF of one set: its score and its spectrum."""
    keys = (model, "baseline", prompt_set, None, None, None, None)
    head = {"isf": value, "isf_ci_low": ci[0], "isf_ci_high": ci[1], "isf_exponent": 1.0}
    found = [(*keys, None, quantity, number, status) for quantity, number in head.items()]
    for rank, eigenvalue in enumerate(eigenvalues, start=1):
        found += [(*keys, rank, quantity, eigenvalue, status) for quantity in ("eigenvalue", "fitted")]
    return table("isf", found)


def table(metric, found):
    types = {"n_tokens": "Int64", "loss_nats": float, "layer": "Int64", "rank": "Int64", "value": float}
    return (
        pd.DataFrame(found, columns=[c for c in COLUMNS if c != "text"]).astype(types).assign(text=None, metric=metric)
    )


def tables_of(*parts):
    rows = pd.concat(parts, ignore_index=True)
    found = collect(rows, prompts_read_of(rows), SCORED, **SETTINGS)
    found["scores"] = with_units(found["scores"], score_units(METRICS))
    return {name: conform(part, TABLES[name]) for name, part in found.items()}


def test_all_three_tables_match_their_descriptions():
    found = tables_of(prompt_rows("ec", [1.0, 2.0, 3.0], layers=[0.5]), set_rows(0.2, [3.0, 2.0, 1.0]))
    assert set(found) == {"prompts", "layers", "scores"}
    assert {name: len(part) for name, part in found.items()} == {
        "prompts": 3,
        "layers": 3,
        "scores": 2,
    }


class TestPrompts:
    def test_text_and_notes_of_a_prompt_stand_beside_its_scores(self):
        rows = pd.concat([prompt_rows("ec", [1.0, 2.0]), prompt_rows("ec", [3.0], model="n")])
        read = prompts_read_of(rows, kind=["x", None, "y"], answer=[None, "B", "C"])
        found = collect(rows, read[::-1], SCORED, **SETTINGS)["prompts"]
        assert found["kind"].fillna("none").tolist() == ["x", "none", "y"]
        assert found["answer"].fillna("none").tolist() == ["none", "B", "C"]
        assert set(found["text"]) == {"A text"}

    def test_a_prompt_that_was_not_read_is_named(self):
        rows = prompt_rows("ec", [1.0, 2.0])
        with pytest.raises(StoreError, match="m / s / p1 is not in table prompts_read"):
            collect(rows, prompts_read_of(rows)[:1], SCORED, **SETTINGS)

    def test_every_metric_is_a_column_and_one_not_asked_for_stays_empty(self):
        found = tables_of(prompt_rows("ec", [1.0, 2.0]), prompt_rows("isa", [0.1, 0.2]))["prompts"]
        assert found.ec.tolist() == [1.0, 2.0]
        assert found.isa.tolist() == [0.1, 0.2]
        assert found[["isc", "isg"]].isna().all(axis=None)
        assert found.n_tokens.tolist() == [5, 6]
        assert found.loss_nats.tolist() == [1.0, 2.0]
        assert set(found.status) == {"ok"}

    def test_a_status_names_the_metric_it_is_about(self):
        parts = [prompt_rows("ec", [1.0, NAN], statuses=["ok", "zero gradient"]), prompt_rows("isa", [0.1, 0.2])]
        found = tables_of(*parts)["prompts"]
        assert found.status.tolist() == ["ok", "ec: zero gradient"]
        assert found.isa.tolist() == [0.1, 0.2]

    def test_several_flags_are_all_named(self):
        parts = [prompt_rows(metric, [NAN], statuses=[f"no {metric}"]) for metric in ("ec", "isg")]
        assert tables_of(*parts)["prompts"].status.tolist() == ["ec: no ec; isg: no isg"]

    @pytest.mark.parametrize("loss", [NAN, INF])
    def test_a_prompt_whose_loss_is_not_finite_keeps_its_row_and_its_status(self, loss):
        part = prompt_rows("ec", [1.0, NAN, 3.0], losses=[1.0, loss, 2.0], statuses=["ok", "not finite", "ok"])
        found = tables_of(part)["prompts"]
        assert found.prompt.tolist() == ["p0", "p1", "p2"]
        assert found.status.tolist() == ["ok", "ec: not finite", "ok"]
        np.testing.assert_array_equal(found.loss_nats, [1.0, loss, 2.0])

    def test_a_loss_that_is_not_finite_is_flagged_even_where_the_metric_is_finite(self):
        found = tables_of(prompt_rows("ec", [1.0, 2.0], losses=[1.0, NAN]))["prompts"]
        assert found.status.tolist() == ["ok", "loss is not finite"]

    def test_rows_come_in_the_order_of_models_sets_and_prompts(self):
        parts = [
            prompt_rows(metric, [1.0] * 11, model=model, prompt_set=prompt_set)
            for metric in ("ec", "isc")
            for model in ("z", "a")
            for prompt_set in ("t", "b")
        ]
        found = tables_of(*parts)["prompts"]
        assert found[["model", "prompt_set"]].drop_duplicates().to_numpy().tolist() == [
            ["z", "t"],
            ["z", "b"],
            ["a", "t"],
            ["a", "b"],
        ]
        assert found.prompt.tolist() == [f"p{i}" for i in range(11)] * 4

    def test_only_set_metrics_leave_an_empty_table(self):
        assert len(tables_of(set_rows(0.2, [3.0, 2.0, 1.0]))["prompts"]) == 0


class TestLayers:
    def test_every_layer_row_is_kept_as_it_is(self):
        found = tables_of(prompt_rows("ec", [1.0, 2.0], layers=[0.5, 0.7]))["layers"]
        assert found.layer.tolist() == [0, 1, 0, 1]
        assert found.value.tolist() == [0.5, 0.7, 0.5, 0.7]

    def test_layers_that_are_not_finite_are_kept_with_their_status(self):
        trace = make_trace()
        gradient = trace.residual_gradient(1)
        gradient[:] = np.nan
        found = tables_of(per_prompt_table([trace], ec_rows).assign(metric="ec"))["layers"]
        assert found.value.isna().tolist() == [True, True]
        assert found.status.tolist() == ["not finite", "not finite"]


class TestScores:
    def test_a_score_is_the_mean_over_prompts_with_its_interval(self):
        values = [1.0, 2.0, 4.0, 8.0]
        (row,) = tables_of(prompt_rows("ec", values))["scores"].itertuples()
        assert (row.metric, row.value, row.n_prompts, row.status) == ("ec", 3.75, 4, "ok")
        assert row.ci_low < row.value < row.ci_high

    def test_the_interval_is_that_of_the_statistics_module_with_a_seed_of_its_own(self):
        parts = [prompt_rows("ec", [1.0, 2.0, 4.0, 8.0], model=model) for model in ("m", "n")]
        one, two = tables_of(*parts)["scores"].itertuples()
        assert (one.ci_low, one.ci_high) != (two.ci_low, two.ci_high)
        alone = tables_of(parts[1])["scores"].iloc[0]
        assert (two.ci_low, two.ci_high) == (alone.ci_low, alone.ci_high)

    def test_seed_and_level_reach_the_interval(self):
        rows = prompt_rows("ec", [1.0, 2.0, 4.0, 8.0])
        base = collect(rows, prompts_read_of(rows), SCORED, **SETTINGS)["scores"].iloc[0]
        other_seed = collect(rows, prompts_read_of(rows), SCORED, **{**SETTINGS, "seed": 1})["scores"].iloc[0]
        narrow = collect(rows, prompts_read_of(rows), SCORED, **{**SETTINGS, "confidence_level": 0.5})["scores"].iloc[0]
        assert (base.ci_low, base.ci_high) != (other_seed.ci_low, other_seed.ci_high)
        assert narrow.ci_high - narrow.ci_low < base.ci_high - base.ci_low

    @pytest.mark.parametrize("bad", [NAN, INF, -INF])
    def test_prompts_that_are_not_finite_are_left_out_counted_and_the_first_is_named(self, bad):
        part = prompt_rows("ec", [1.0, bad, 3.0, bad], statuses=["ok", "zero gradient", "ok", "other"])
        (row,) = tables_of(part)["scores"].itertuples()
        assert (row.value, row.n_prompts) == (2.0, 2)
        assert row.status == "2 of 4 prompts left out (first: p1, zero gradient)"
        assert math.isfinite(row.ci_low)

    def test_without_a_finite_prompt_there_is_no_score_but_a_status(self):
        (row,) = tables_of(prompt_rows("ec", [NAN, NAN], statuses=["bad", "bad"]))["scores"].itertuples()
        assert math.isnan(row.value)
        assert row.n_prompts == 0
        assert row.status == "2 of 2 prompts left out (first: p0, bad)"

    def test_a_single_prompt_has_no_interval_and_says_so(self):
        (row,) = tables_of(prompt_rows("ec", [2.0]))["scores"].itertuples()
        assert row.value == 2.0
        assert row.status == mean_interval([2.0], seed=0).status != "ok"

    def test_isf_is_taken_as_its_own_rule_found_it(self):
        (row,) = tables_of(set_rows(0.2, [3.0, 2.0, 1.0, 0.5]))["scores"].itertuples()
        assert (row.metric, row.value, row.ci_low, row.ci_high, row.n_prompts) == ("isf", 0.2, 0.1, 0.3, 4)

    def test_isf_that_is_undefined_keeps_its_row_and_status(self):
        flagged = set_rows(NAN, [1.0, 1.0, 1.0], status="flat spectrum", ci=(NAN, NAN))
        (row,) = tables_of(flagged)["scores"].itertuples()
        assert math.isnan(row.value)
        assert (row.n_prompts, row.status) == (3, "flat spectrum")

    def test_rows_come_model_by_model_and_set_by_set(self):
        parts = [
            *(prompt_rows("ec", [1.0, 2.0], model=m, prompt_set=s) for m in "zy" for s in "tb"),
            *(set_rows(0.2, [3.0, 2.0, 1.0], model=m, prompt_set=s) for m in "zy" for s in "tb"),
        ]
        found = tables_of(*parts)["scores"]
        assert ["".join(key) for key in found[["model", "prompt_set"]].to_numpy()] == [
            *["zt", "zt", "zb", "zb", "yt", "yt", "yb", "yb"]
        ]
        assert found.metric.tolist() == ["ec", "isf"] * 4


def test_the_tables_from_traces_to_files():
    traces = [make_trace(f"p{i}", seed=i) for i in range(4)]
    found = tables_of(
        per_prompt_table(traces, ec_rows).assign(metric="ec"),
        per_prompt_table(traces, isc_rows).assign(metric="isc"),
        per_set_table(traces, isf_rows).assign(metric="isf"),
    )
    assert found["prompts"].ec.tolist() == [ec(trace) for trace in traces]
    scores = found["scores"].set_index("metric").value
    assert scores["ec"] == pytest.approx(np.mean([ec(trace) for trace in traces]))
    assert scores["isf"] == isf(traces)
    assert set(found["layers"].quantity) == {"relative_gradient_change", "gradient_norm"}
    assert set(found["scores"].status) == {"ok"}
