"""Gains, hypotheses and the JSON: published numbers, verdicts on synthetic data, degenerate input, seeds."""

import json

import numpy as np
import pandas as pd
import pytest
from gain_traces import gain_trace
from internal_physics.families.residual_gain import verdicts
from internal_physics.families.residual_gain.gains import gains_table
from internal_physics.families.residual_gain.hypotheses import gains_with_text, judge_hypotheses
from internal_physics.families.residual_gain.residual_gain import rows
from internal_physics.families.residual_gain.residual_gain_result import published_result
from internal_physics.families.residual_gain.sentences import (
    caption_facts,
    nested_sentence,
    summary_over_models,
    variant_title,
    variants_sentence,
)
from internal_physics.families.residual_gain.tables import GAINS, HYPOTHESES
from internal_physics.families.residual_gain.verdicts import ALL_SETS
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.errors import StoreError
from internal_physics.statistics.bootstrap import mean_interval
from internal_physics.statistics.correlation import correlate_pair, correlation_interval
from internal_physics.statistics.many_tests import adjust_false_discovery
from internal_physics.tables.conform import conform
from internal_physics.tables.measure import per_prompt_table
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_table
from made_up_gains import PUBLISHED, driven_points, gains_of, with_texts
from scipy import stats

SETTINGS = {"seed": 0, "n_resamples": 199, "confidence_level": 0.95}


def judge(points, **options):
    gains = gains_of(points, **options)
    return judge_hypotheses(with_texts(gains), **SETTINGS)


def pick(table, hypothesis, variant="whole", prompt_set=ALL_SETS, **columns):
    rows = table[
        (table["hypothesis"] == hypothesis) & (table["variant"] == variant) & (table["prompt_set"] == prompt_set)
    ]
    for column, value in columns.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


# ---- golden -------------------------------------------------------------------------------------------------


def test_the_published_pairs_give_the_published_numbers_and_verdict():
    table = judge(PUBLISHED)
    pearson = pick(table, "entropy_gain", statistic="pearson_r")
    spearman = pick(table, "entropy_gain", statistic="spearman_rho")
    assert round(pearson["value"], 5) == 0.20752
    assert round(pearson["p_parametric"], 5) == 0.73768
    assert spearman["value"] == pytest.approx(0.6, abs=1e-12)
    assert round(spearman["p_parametric"], 5) == 0.28476
    assert pearson["verdict_published"] == pearson["verdict"] == "inconclusive"
    assert pearson["n"] == 5
    contraction = table[(table["hypothesis"] == "contraction") & (table["variant"] == "whole")]
    assert list(contraction["verdict_published"]) == ["contracts"] * 5


def test_the_published_pairs_are_those_of_scipy():
    _, entropy, gain = zip(*PUBLISHED, strict=True)
    pearson, spearman = stats.pearsonr(entropy, gain), stats.spearmanr(entropy, gain)
    table = judge(PUBLISHED)
    found = pick(table, "entropy_gain", statistic="pearson_r")
    assert (found["value"], found["p_parametric"]) == pytest.approx(tuple(pearson), rel=1e-12)
    found = pick(table, "entropy_gain", statistic="spearman_rho")
    assert (found["value"], found["p_parametric"]) == pytest.approx(tuple(spearman), rel=1e-12)


@pytest.mark.parametrize(
    ("slope", "verdict"), [(0.1, "supported"), (-0.1, "inverse"), (0.0, "inconclusive")], ids=["up", "down", "flat"]
)
def test_synthetic_data_get_the_other_verdicts(slope, verdict):
    row = pick(judge(driven_points(slope)), "entropy_gain", statistic="pearson_r")
    assert row["verdict_published"] == row["verdict"] == verdict
    assert row["n"] == 80


def test_a_weak_but_sure_correlation_is_supported_by_our_rule_alone():
    row = pick(judge(driven_points(0.012, n_each=60)), "entropy_gain", statistic="pearson_r")
    assert 0.2 < row["value"] < 0.5
    assert (row["verdict"], row["verdict_published"]) == ("supported", "inconclusive")


# ---- rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("r", "p", "verdict"),
    [
        (0.51, 0.099, "supported"),
        (0.5, 0.01, "inconclusive"),
        (0.9, 0.1, "inconclusive"),
        (-0.51, 0.099, "inverse"),
        (-0.5, 0.01, "inconclusive"),
        (np.nan, np.nan, "untested"),
    ],
)
def test_the_published_rule(r, p, verdict):
    assert verdicts.published_correlation_verdict(r, p) == verdict


@pytest.mark.parametrize(
    ("p", "low", "high", "verdict"),
    [
        (0.049, 0.1, 0.5, "supported"),
        (0.049, -0.5, -0.1, "inverse"),
        (0.049, -0.1, 0.5, "inconclusive"),
        (0.05, 0.1, 0.5, "inconclusive"),
        (0.01, 0.0, 0.5, "inconclusive"),
        (np.nan, 0.1, 0.5, "untested"),
        (0.01, np.nan, np.nan, "untested"),
    ],
)
def test_our_rule(p, low, high, verdict):
    assert verdicts.signed_verdict(p, low, high) == verdict


@pytest.mark.parametrize(
    ("syntactic", "factual", "low", "high", "verdict"),
    [
        ("contracts", "contracts", 0.9, 1.2, "supported"),
        ("contracts", "contracts", 0.69, 1.2, "inconclusive"),
        ("contracts", "inconclusive", 0.9, 1.2, "inconclusive"),
        ("contracts", "contracts", 1.31, 1.5, "inverse"),
        ("contracts", "contracts", 0.2, 0.6, "inverse"),
        ("expands", "contracts", 0.9, 1.2, "inverse"),
        ("untested", "contracts", 0.9, 1.2, "untested"),
        ("contracts", "contracts", np.nan, np.nan, "untested"),
    ],
)
def test_our_rule_of_nested_grammar(syntactic, factual, low, high, verdict):
    assert verdicts.nested_verdict(syntactic, factual, low, high) == verdict


@pytest.mark.parametrize(
    ("syntactic", "factual", "verdict"),
    [
        (0.8, 0.7, "supported"),
        (0.9, 0.7, "supported"),
        (0.92, 0.7, "not supported"),
        (0.48, 0.7, "not supported"),
        (1.0, 0.95, "not supported"),
        (np.nan, 0.7, "untested"),
    ],
)
def test_the_published_rule_of_nested_grammar(syntactic, factual, verdict):
    assert verdicts.published_nested_verdict(syntactic, factual) == verdict


# ---- rows ---------------------------------------------------------------------------------------------------


def test_one_engine_for_all_correlations():
    """The rows are those of the functions that the metric correlation matrix uses, on the same data."""
    from internal_physics.ground.seeds import seed_of

    gains = gains_of(driven_points(0.02))
    table = judge_hypotheses(with_texts(gains), **SETTINGS)
    of_variant = gains[gains["variant"] == "whole"]
    x, y = of_variant["entropy_nats"], of_variant["last_gain"]
    seed = seed_of(seed_of(0, "m", "baseline", "whole"), ALL_SETS)
    pair = correlate_pair(x, y, seed=seed, n_resamples=199)
    interval = correlation_interval(x, y, "spearman", seed=seed, n_resamples=199)
    row = pick(table, "entropy_gain", statistic="spearman_rho")
    assert (row["value"], row["p"]) == (pair.spearman_rho, pair.spearman_p)
    assert (row["ci_low"], row["ci_high"]) == (interval.low, interval.high)


def test_nested_grammar_compares_means_and_tests_them():
    points = [("syntactic", 1.0, g) for g in np.linspace(0.6, 0.7, 20)]
    points += [("factual", 1.5, g) for g in np.linspace(0.62, 0.72, 20)]
    table = judge(points)
    row = pick(table, "nested_grammar")
    assert row["value"] == pytest.approx(0.65 / 0.67)
    assert (row["n"], row["n_x"], row["n_y"]) == (40, 20, 20)
    assert row["verdict"] == row["verdict_published"] == "supported"
    assert 0 < row["p"] < 0.3
    contraction = pick(table, "contraction", x="syntactic")
    assert contraction["value"] == pytest.approx(0.65)
    assert contraction["verdict"] == "contracts"
    assert np.isnan(contraction["p"])


def test_contrasts_name_every_pair_of_kinds_and_who_is_higher():
    points = [(kind, 1.0 + i, 0.5 + 0.2 * i + 0.01 * j) for i, kind in enumerate("abc") for j in range(15)]
    table = judge(points)
    rows = table[(table["hypothesis"] == "contrast") & (table["variant"] == "whole")]
    assert list(zip(rows["x"], rows["y"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert (rows["value"] == -1).all()
    assert (rows["verdict"] == "lower").all()
    assert (rows["status"] == "the samples do not overlap: an interval without width").all()


def test_prompts_without_a_kind_correlate_but_are_in_no_contrast():
    table = judge([*driven_points(0.1, kinds=("a", "b")), ("not given", 1.0, 1.0)])
    assert pick(table, "entropy_gain", statistic="pearson_r")["n"] == 41
    assert set(table.loc[table["hypothesis"] == "contrast", "x"]) == {"a"}


def test_a_text_in_two_sets_counts_once_in_all_sets():
    points = driven_points(0.1, n_each=5)
    gains = pd.concat([gains_of(points, prompt_set="s"), gains_of(points, prompt_set="t")], ignore_index=True)
    gains["text"] = gains["prompt"].str.removeprefix("s_").str.removeprefix("t_")
    table = judge_hypotheses(gains, **SETTINGS)
    assert pick(table, "entropy_gain", statistic="pearson_r")["n"] == 20
    assert pick(table, "entropy_gain", statistic="pearson_r", prompt_set="t")["n"] == 20


def test_p_is_adjusted_over_models_and_variants_of_one_statistic():
    gains = pd.concat(
        [gains_of(driven_points(slope, seed=i), models=(f"m{i}",)) for i, slope in enumerate((0.1, 0.01, 0.0))]
    )
    table = judge_hypotheses(with_texts(gains), **SETTINGS)
    for statistic in ("pearson_r", "spearman_rho", "cliffs_delta"):
        for of_all in (True, False):
            rows = table[(table["statistic"] == statistic) & ((table["prompt_set"] == ALL_SETS) == of_all)]
            np.testing.assert_array_equal(rows["p_adjusted"], adjust_false_discovery(rows["p"]))
    assert len(rows) == 0  # no contrasts within single sets


def test_rows_do_not_depend_on_other_tests():
    alone = judge(driven_points(0.05))
    both = judge(driven_points(0.05), models=("other", "m"))
    unadjusted = [c for c in alone.columns if c not in ("p_adjusted", "verdict")]
    pd.testing.assert_frame_equal(both[both["model"] == "m"].reset_index(drop=True)[unadjusted], alone[unadjusted])


def test_reading_in_chunks_gives_the_same_rows():
    gains = with_texts(gains_of(driven_points(0.05), models=("other", "m")))
    parts = [rows for _, rows in gains.groupby("model", sort=False)]
    pd.testing.assert_frame_equal(judge_hypotheses(iter(parts), **SETTINGS), judge_hypotheses(gains, **SETTINGS))


def test_texts_are_read_for_one_model_at_a_time_and_joined_to_their_prompts(metric_rows, tmp_path):
    gains, prompts = tmp_path / "gains.parquet", tmp_path / "prompts_read.parquet"
    write_table(gains_table(metric_rows, PROMPTS), GAINS, csv=tmp_path / "g.csv", parquet=gains)
    write_table(PROMPTS, PROMPTS_READ, csv=tmp_path / "p.csv", parquet=prompts)
    parts = list(gains_with_text(gains, prompts))
    assert [set(part["model"]) for part in parts] == [{"m"}, {"n"}]
    for part in parts:
        found = part.drop_duplicates(["prompt_set", "prompt"])
        assert list(found["text"]) == ["A", "B", "C", "A again", "D"]
    np.testing.assert_array_equal(pd.concat(parts)["last_gain"], gains_table(metric_rows, PROMPTS)["last_gain"])


def test_the_same_seed_gives_the_same_bits_and_another_others(tmp_path):
    points = driven_points(0.01)
    files = []
    for name in ("a", "b"):
        write_table(judge(points), HYPOTHESES, csv=tmp_path / f"{name}.csv", parquet=tmp_path / f"{name}.parquet")
        files.append((tmp_path / f"{name}.csv").read_bytes())
    assert files[0] == files[1]
    gains = gains_of(points)
    other = judge_hypotheses(with_texts(gains), **(SETTINGS | {"seed": 1}))
    assert not other["ci_low"].equals(judge(points)["ci_low"])


def test_the_interval_of_a_mean_gain_is_that_of_the_library():
    table = judge(driven_points(0.1, kinds=("factual",)))
    gains = [g for _, _, g in driven_points(0.1, kinds=("factual",))]
    row = pick(table, "contraction", x="factual")
    assert row["value"] == mean_interval(gains, seed=0).value
    assert row["ci_low"] < row["value"] < row["ci_high"]


# ---- degenerate ---------------------------------------------------------------------------------------------


def test_constant_entropies_have_a_status():
    table = judge([(kind, 2.0, gain) for kind, _, gain in driven_points(0.1)])
    row = pick(table, "entropy_gain", statistic="pearson_r")
    assert row["status"] == "entropy_nats is constant: no correlation"
    assert row["verdict"] == row["verdict_published"] == "untested"
    assert np.isnan(row["value"])


def test_two_prompts_are_too_few():
    table = judge([("factual", 1.0, 0.5), ("syntactic", 2.0, 0.6)])
    row = pick(table, "entropy_gain", statistic="pearson_r")
    assert (row["status"], row["n"], row["verdict"]) == ("2 prompts: a correlation needs at least 3", 2, "untested")
    assert pick(table, "contraction", x="factual")["status"] == "one prompt: no interval"
    assert pick(table, "nested_grammar")["status"] == (
        "one prompt of kind syntactic: no interval, no test; one prompt of kind factual: no interval, no test"
    )
    assert pick(table, "nested_grammar")["verdict_published"] == "supported"


def test_a_missing_kind_has_rows_that_say_so():
    table = judge(driven_points(0.1, kinds=("factual", "ambiguous")))
    row = pick(table, "contraction", x="syntactic")
    assert (row["status"], row["n"], row["verdict"]) == ("no prompts of kind syntactic", 0, "untested")
    row = pick(table, "nested_grammar")
    assert (row["status"], row["verdict"]) == ("no prompts of kind syntactic", "untested")
    assert row["verdict_published"] == "untested"


def test_a_gain_that_is_missing_is_left_out_and_counted():
    points = [*driven_points(0.1), ("factual", 1.0, np.nan)]
    table = judge(points)
    assert pick(table, "entropy_gain", statistic="pearson_r")["status"] == "1 pair left out: not finite"
    assert pick(table, "entropy_gain", statistic="pearson_r")["n"] == 80
    assert pick(table, "contraction", x="factual")["status"] == "1 prompt left out: no last gain"
    contrast = pick(table, "contrast", x="factual", y="nonsense")
    assert contrast["status"] == "1 of kind factual left out: not finite"


def test_every_missing_number_has_a_status():
    for points in (PUBLISHED, PUBLISHED[:2], driven_points(0.1), [("not given", 1.0, 1.0)] * 4):
        table = conform(judge(points), HYPOTHESES)
        ok = table[table["status"] == "ok"]
        assert np.isfinite(ok[["value", "ci_low", "ci_high"]]).all(axis=None)
        assert (table.loc[~np.isfinite(table["value"]), "verdict"] == "untested").all()


# ---- the table of gains and the JSON -------------------------------------------------------------------------


@pytest.fixture
def metric_rows():
    rng = np.random.default_rng(0)
    traces = [
        gain_trace(rng.uniform(1, 2, (4, n_tokens, 3)), prompt, entropy=entropy, labels=(model, prompt_set))
        for model in ("m", "n")
        for prompt_set, prompt, n_tokens, entropy in (
            ("s", "a", 4, 1.0), ("s", "b", 1, 2.0), ("s", "c", 5, 0.5), ("t", "a", 3, 3.0), ("t", "d", 3, 2.5),
        )
    ]  # fmt: skip
    return per_prompt_table(traces, rows)


PROMPTS = pd.DataFrame([
    {"model": model, "prompt_set": prompt_set, "prompt": prompt, "kind": kind, "difficulty": difficulty, "text": text,
     "answer": None, "n_tokens": 3, "tokens": "x|y|z", "status": "ok"}
    for model in ("m", "n")
    for prompt_set, prompt, kind, difficulty, text in (
        ("s", "a", "factual", "easy", "A"), ("s", "b", None, None, "B"), ("s", "c", "syntactic", "hard", "C"),
        ("t", "a", "factual", "hard", "A again"), ("t", "d", "factual", "easy", "D"),
    )
])  # fmt: skip


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


# ---- in words -----------------------------------------------------------------------------------------------


def test_sentences_name_verdict_n_and_rule():
    table = judge(driven_points(0.1), models=("m", "k"))
    about, verdict, numbers = variant_title(table, "m", "last_position").splitlines()
    assert (about, verdict) == ("Last gain against uncertainty,", "last position: supported")
    assert numbers.startswith("r = 0.9") and numbers.endswith("adjusted p = 0.010")  # 99 permutations
    assert variants_sentence(table, "m").count("supported (n = 80") == 3
    assert "20 syntactic and 20 factual prompts" in nested_sentence(table, "m")
    assert "Whole stream: supported in 2;" in summary_over_models(table)
    assert "2 models (n = 80 prompts each)" in summary_over_models(table)
    assert set(caption_facts({"hypotheses": table}, "m")) == {"verdicts", "nested"}
    assert set(caption_facts({"hypotheses": table}, "")) == {"all_verdicts"}


def test_sentences_about_missing_tests_give_the_reason():
    table = judge([("ambiguous", 2.0, 0.5), ("ambiguous", 2.0, 0.6)])
    assert variant_title(table, "m", "whole").splitlines()[1:] == ["whole stream: untested"]
    assert "untested (n = 2, 2 prompts: a correlation" in variants_sentence(table, "m")
    assert "not tested (no prompts of kind syntactic; no prompts of kind factual)" in nested_sentence(table, "m")
