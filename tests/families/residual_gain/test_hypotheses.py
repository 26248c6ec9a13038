"""Gains, hypotheses and the JSON: published numbers, verdicts on synthetic data, degenerate input, seeds."""

import numpy as np
import pandas as pd
import pytest
from internal_physics.families.residual_gain.gains import gains_table
from internal_physics.families.residual_gain.hypotheses import gains_with_text, judge_hypotheses
from internal_physics.families.residual_gain.tables import GAINS, HYPOTHESES
from internal_physics.families.residual_gain.verdicts import ALL_SETS
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.statistics.bootstrap import mean_interval
from internal_physics.statistics.correlation import correlate_pair, correlation_interval
from internal_physics.statistics.many_tests import adjust_false_discovery
from internal_physics.tables.conform import conform
from internal_physics.tables.write import write_table
from judged_gains import PROMPTS, SETTINGS, judge, pick
from made_up_gains import PUBLISHED, driven_points, gains_of, with_texts
from scipy import stats

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
