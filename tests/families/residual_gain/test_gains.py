"""The table of gains, and the JSON in the published format."""

import json

import pandas as pd
import pytest
from internal_physics.families.residual_gain.gains import gains_table
from internal_physics.families.residual_gain.hypotheses import judge_hypotheses
from internal_physics.families.residual_gain.residual_gain_result import published_result
from internal_physics.families.residual_gain.tables import GAINS
from internal_physics.ground.errors import StoreError
from internal_physics.tables.conform import conform
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_table
from judged_gains import PROMPTS, SETTINGS
from made_up_gains import with_texts


def test_gains_have_a_row_for_each_prompt_and_variant(metric_rows, tmp_path):
    table = gains_table(metric_rows, PROMPTS)
    assert set(table.columns) == set(GAINS.columns)
    assert len(table) == 2 * 5 * 3
    assert list(table["prompt"][:9:3]) == ["a", "b", "c"]
    assert list(table["variant"][:3]) == ["whole", "last_position", "excluding_first"]
    by_quantity = metric_rows[(metric_rows["model"] == "n") & (metric_rows["prompt_set"] == "t")]
    expected = by_quantity[(by_quantity["quantity"] == "last_gain_last_position") & (by_quantity["prompt"] == "d")]
    row = table[(table["model"] == "n") & (table["prompt"] == "d") & (table["variant"] == "last_position")].iloc[0]
    assert row["last_gain"] == expected["value"].item()
    assert row["expands"] == (row["last_gain"] > 1)
    assert (row["kind"], row["difficulty"], row["entropy_nats"]) == ("factual", "easy", 2.5)
    assert (row["top_token"], row["top_token_probability"]) == (" Paris", pytest.approx(0.6))
    write_table(table, GAINS, csv=tmp_path / "g.csv", parquet=tmp_path / "g.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "g.parquet", GAINS), conform(table, GAINS))


def test_a_gain_that_does_not_exist_is_flagged(metric_rows):
    table = gains_table(metric_rows, PROMPTS)
    flagged = table[table["status"] != "ok"]
    assert set(flagged["prompt"]) == {"b"}
    assert set(flagged["variant"]) == {"excluding_first"}
    assert set(flagged["status"]) == {"one token: nothing is left without the first"}
    assert flagged["expands"].isna().all()


def test_kinds_come_from_the_config_alone(metric_rows):
    other = PROMPTS.assign(kind="new")
    one, two = gains_table(metric_rows, PROMPTS), gains_table(metric_rows, other)
    pd.testing.assert_frame_equal(one.drop(columns="kind"), two.drop(columns="kind"))
    assert set(two["kind"]) == {"new"}
    assert set(one.loc[one["prompt"] == "b", "kind"]) == {"not given"}


def test_a_prompt_that_was_not_read_is_named(metric_rows):
    with pytest.raises(StoreError, match="m / t / d is not in table prompts_read"):
        gains_table(metric_rows, PROMPTS[PROMPTS["prompt"] != "d"])


def test_the_json_has_the_published_shape(metric_rows):
    hypotheses = judge_hypotheses(with_texts(gains_table(metric_rows, PROMPTS)), **SETTINGS)
    result = published_result(
        metric_rows[metric_rows["model"] == "m"], hypotheses, PROMPTS[PROMPTS["model"] == "m"], "m"
    )
    assert {"experiment", "model", "prompts", "results", "correlation", "conclusion"} <= set(result)
    assert result["model"] == "m"
    assert set(result["prompts"]) == set(result["results"]) == {"s/a", "b", "c", "t/a", "d"}
    assert result["prompts"]["t/a"] == {"text": "A again", "difficulty": "hard"}
    assert result["prompts"]["b"] == {"text": "B", "difficulty": ""}
    entry = result["results"]["c"]
    assert set(entry) == {"last_gain", "entropy", "expands", "gains", "top_tokens"}
    assert entry["gains"][-1] == entry["last_gain"]
    assert entry["top_tokens"][0] == {"token": " Paris", "probability": pytest.approx(0.6)}
    assert result["correlation"]["n"] == 5
    assert result["conclusion"] == "inconclusive"
    assert result["by_prompt_set"]["t"]["conclusion"] == "untested"
    assert json.loads(json.dumps(result, allow_nan=False)) == result
