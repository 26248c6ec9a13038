"""Table correlations: direct computations, what counts as one observation, what is left out and reported."""

import math
import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.families.scores.correlate import (
    MODEL_METRICS,
    PROMPT_QUANTITIES,
    correlate_metrics,
    pair_seed,
)
from internal_physics.families.scores.tables import CORRELATIONS
from internal_physics.statistics.correlation import correlate_pair
from internal_physics.statistics.many_tests import adjust_false_discovery
from scipy import stats

N_PROMPTS = 12
MODELS = ("fp32", "bf16", "int8", "nf4")
OPTIONS = {"seed": 5, "n_resamples": 99}
NUMBERS = ["pearson_r", "pearson_p", "spearman_rho", "spearman_p", "p_adjusted"]


@pytest.fixture(autouse=True)
def no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def prompt_rows(model="fp32", *, seed=0, condition="baseline", n_prompts=N_PROMPTS):
    """Rows of table `prompts`: quantities that move together, in two prompt sets that share prompt names."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n_prompts)
    columns = {name: np.exp(common + rng.normal(size=n_prompts)) for name in PROMPT_QUANTITIES}
    keys = {
        "model": model,
        "condition": condition,
        "prompt_set": [("factual", "nonsense")[i % 2] for i in range(n_prompts)],
        "prompt": [f"p{i // 2}" for i in range(n_prompts)],
        "n_tokens": 8,
    }
    return pd.DataFrame(keys | columns | {"status": "ok"})


def score_rows(models=MODELS, *, prompt_sets=("factual", "nonsense"), condition="baseline", seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        [
            {"model": model, "condition": condition, "prompt_set": prompt_set, "metric": metric}
            | {
                "value": rng.exponential(),
                "ci_low": math.nan,
                "ci_high": math.nan,
                "n_prompts": 6,
                "status": "ok",
            }
            for model in models
            for prompt_set in prompt_sets
            for metric in MODEL_METRICS
        ]
    )


def level(result, name):
    return result[result["level"] == name].reset_index(drop=True)


def row(result, level_name, x, y):
    (found,) = level(result, level_name).query("x == @x and y == @y").to_dict("records")
    return found


def test_columns_and_pairs_in_the_given_order():
    result = correlate_metrics(prompt_rows(), score_rows(), **OPTIONS)
    assert list(result.columns) == list(CORRELATIONS.columns)
    for name, quantities in (("prompt", PROMPT_QUANTITIES), ("model", MODEL_METRICS)):
        pairs = level(result, name)
        assert list(zip(pairs["x"], pairs["y"], strict=True)) == list(combinations(quantities, 2))
    assert set(level(result, "prompt")["n"]) == {N_PROMPTS} and set(level(result, "model")["n"]) == {4}
    assert set(result["status"]) == {"ok"}


def test_with_one_model_a_correlation_is_that_of_the_plain_columns():
    prompts = prompt_rows()
    found = row(correlate_metrics(prompts, score_rows(), **OPTIONS), "prompt", "ec", "loss_nats")
    assert found["pearson_r"] == pytest.approx(stats.pearsonr(prompts["ec"], prompts["loss_nats"]).statistic)
    assert found["spearman_rho"] == pytest.approx(stats.spearmanr(prompts["ec"], prompts["loss_nats"]).statistic)


def test_a_pair_is_permuted_with_its_own_seed():
    prompts = prompt_rows().sort_values(["prompt_set", "prompt"])
    result = correlate_metrics(prompts, score_rows(), **OPTIONS)
    for x, y in combinations(PROMPT_QUANTITIES, 2):
        expected = correlate_pair(prompts[x], prompts[y], seed=pair_seed(5, x, y), n_resamples=99)
        found = row(result, "prompt", x, y)
        assert found["pearson_p"] == expected.pearson_p and found["spearman_p"] == expected.spearman_p


def test_z_scores_within_models_are_averaged_over_models():
    prompts = pd.concat([prompt_rows("fp32", seed=0), prompt_rows("other", seed=1)])
    mean = {
        name: np.mean([stats.zscore(rows[name].to_numpy()) for _, rows in prompts.groupby("model")], axis=0)
        for name in ("isg", "isa")
    }
    found = row(correlate_metrics(prompts, score_rows(), **OPTIONS), "prompt", "isg", "isa")
    assert found["pearson_r"] == pytest.approx(stats.pearsonr(mean["isg"], mean["isa"]).statistic)
    assert found["n"] == N_PROMPTS


def test_four_precisions_of_a_model_are_one_observation_per_prompt():
    once = correlate_metrics(prompt_rows(), score_rows(), **OPTIONS)
    four = pd.concat([prompt_rows(model) for model in MODELS])
    pd.testing.assert_frame_equal(correlate_metrics(four, score_rows(), **OPTIONS), once)


def test_differences_between_models_do_not_count():
    scaled = [prompt_rows(model) for model in MODELS]
    for i, rows in enumerate(scaled):
        rows[list(PROMPT_QUANTITIES)] = rows[list(PROMPT_QUANTITIES)] * 10.0**i + 3 * i
    once, apart = (correlate_metrics(pd.concat(p), score_rows(), **OPTIONS) for p in ([prompt_rows()], scaled))
    assert apart[NUMBERS].to_numpy() == pytest.approx(once[NUMBERS].to_numpy(), nan_ok=True)


def test_one_observation_per_model_averaged_over_prompt_sets():
    scores = score_rows(models=tuple("abcde"), prompt_sets=("factual", "nonsense", "syntactic"))
    wide = scores.pivot(index="model", columns=["metric", "prompt_set"], values="value")
    mean = {name: stats.zscore(wide[name].to_numpy(), axis=0).mean(axis=1) for name in ("ec", "isf")}
    found = row(correlate_metrics(prompt_rows(), scores, **OPTIONS), "model", "ec", "isf")
    assert found["pearson_r"] == pytest.approx(stats.pearsonr(mean["ec"], mean["isf"]).statistic)
    assert (found["n"], found["status"]) == (5, "ok")


def test_only_the_baseline_takes_part():
    prompts = pd.concat([prompt_rows(), prompt_rows(seed=9, condition="steered")])
    scores = pd.concat([score_rows(), score_rows(seed=9, condition="steered")])
    expected = correlate_metrics(prompt_rows(), score_rows(), **OPTIONS)
    pd.testing.assert_frame_equal(correlate_metrics(prompts, scores, **OPTIONS), expected)


def test_p_values_are_adjusted_within_each_level():
    result = correlate_metrics(prompt_rows(), score_rows(), **OPTIONS)
    for name in ("prompt", "model"):
        pairs = level(result, name)
        assert pairs["p_adjusted"].to_numpy() == pytest.approx(adjust_false_discovery(pairs["pearson_p"]))
    assert (result["p_adjusted"] > result["pearson_p"]).any()


def test_a_pairs_permutations_do_not_depend_on_the_other_pairs():
    whole = correlate_metrics(prompt_rows(), score_rows(), **OPTIONS)
    alone = correlate_metrics(prompt_rows(), score_rows(), quantities=("isg", "isa"), **OPTIONS)
    expected, found = (row(result, "prompt", "isg", "isa") for result in (whole, alone))
    assert found["pearson_p"] == expected["pearson_p"] and found["spearman_p"] == expected["spearman_p"]


def test_pair_seeds_differ_by_seed_and_by_name_and_are_stable():
    seeds = {pair_seed(seed, x, y) for seed in (0, 1) for x, y in combinations(PROMPT_QUANTITIES, 2)}
    assert len(seeds) == 20
    assert pair_seed(0, "ec", "isc") == 0x49286BFC67FFA7DC  # the same on every machine
    assert pair_seed(1, "a", "b") != pair_seed(11, "a", "b") != pair_seed(1, "1\na", "b")


def test_seeded():
    first, again = (correlate_metrics(prompt_rows(), score_rows(), **OPTIONS) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    other = correlate_metrics(prompt_rows(), score_rows(), seed=6, n_resamples=99)
    assert (other["pearson_p"] != first["pearson_p"]).any() and (other["pearson_r"] == first["pearson_r"]).all()


@settings(deadline=None, max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(random):
    prompts, scores = pd.concat([prompt_rows("a"), prompt_rows("b", seed=1)]), score_rows()
    expected = correlate_metrics(prompts, scores, seed=5, n_resamples=19)
    shuffled = (table.iloc[random.sample(range(len(table)), len(table))] for table in (prompts, scores))
    pd.testing.assert_frame_equal(correlate_metrics(*shuffled, seed=5, n_resamples=19), expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_left_out_and_reported(bad):
    prompts = prompt_rows()
    prompts.loc[3, "ec"] = bad
    result = correlate_metrics(prompts, score_rows(), **OPTIONS)
    found, kept = row(result, "prompt", "ec", "isc"), prompts.drop(index=3)
    assert found["status"] == "ec: 1 of 12 missing or not finite; 1 pair left out: not finite"
    assert found["n"] == N_PROMPTS - 1
    assert found["pearson_r"] == pytest.approx(stats.pearsonr(kept["ec"], kept["isc"]).statistic)
    assert row(result, "prompt", "isc", "isg")["status"] == "ok"


def test_a_prompt_that_one_model_lacks_is_averaged_over_the_others_with_a_status():
    prompts = pd.concat([prompt_rows("a"), prompt_rows("b").iloc[1:]])
    found = row(correlate_metrics(prompts, score_rows(), **OPTIONS), "prompt", "ec", "isc")
    assert found["n"] == N_PROMPTS
    assert found["status"] == "ec: 1 of 24 missing or not finite; isc: 1 of 24 missing or not finite"


def test_a_model_in_which_a_quantity_is_constant_adds_nothing_and_is_named():
    broken = prompt_rows("broken", seed=4)
    broken["isa"] = 0.1
    result = correlate_metrics(pd.concat([prompt_rows("a"), broken]), score_rows(), **OPTIONS)
    found = row(result, "prompt", "isa", "loss_nats")
    assert found["status"] == "isa: constant in broken, left out"
    assert math.isfinite(found["pearson_r"]) and found["n"] == N_PROMPTS


def test_constant_in_every_model_leaves_no_pairs():
    prompts = prompt_rows("a").assign(isa=0.0)
    found = row(correlate_metrics(prompts, score_rows(), **OPTIONS), "prompt", "isg", "isa")
    assert found["status"] == "isa: constant in a, left out; 12 pairs left out: not finite; fewer than 3 pairs"
    assert found["n"] == 0 and all(math.isnan(found[name]) for name in NUMBERS)


def test_models_that_contradict_each_other_leave_no_variation():
    rows = prompt_rows("a")
    opposite = rows.assign(model="b", ec=0.7 - 3.1 * rows["ec"])  # z-scores opposite to rounding only
    found = row(correlate_metrics(pd.concat([rows, opposite]), score_rows(), **OPTIONS), "prompt", "ec", "isc")
    assert found["status"] == "constant x" and math.isnan(found["pearson_r"])


@pytest.mark.parametrize("models", [(), ("fp32",), ("fp32", "nf4")])
def test_too_few_models_to_correlate(models):
    scores = score_rows(models) if models else score_rows().iloc[:0]
    pairs = level(correlate_metrics(prompt_rows(), scores, **OPTIONS), "model")
    assert len(pairs) == 10 and pairs[NUMBERS].isna().all(axis=None)
    assert pairs["status"].str.endswith("fewer than 3 pairs").all()
    assert not pairs["status"].str.contains("constant").any()


def test_a_metric_without_rows_has_the_status_absent():
    scores = score_rows().query("metric != 'isf'")
    result = correlate_metrics(prompt_rows(), scores, **OPTIONS)
    assert row(result, "model", "isa", "isf")["status"].startswith("isf: absent; ")
    assert row(result, "model", "ec", "isa")["status"] == "ok"


def test_no_prompts_at_all():
    pairs = level(correlate_metrics(prompt_rows().iloc[:0], score_rows(), **OPTIONS), "prompt")
    assert set(pairs["status"]) == {"fewer than 3 pairs"} and set(pairs["n"]) == {0}


def test_repeated_rows_are_refused_by_name():
    with pytest.raises(ValueError, match="model fp32, prompt_set factual, prompt p0 occurs twice"):
        correlate_metrics(pd.concat([prompt_rows(), prompt_rows().iloc[:1]]), score_rows(), **OPTIONS)
    with pytest.raises(ValueError, match="model fp32, prompt_set factual, metric ec occurs twice"):
        correlate_metrics(prompt_rows(), pd.concat([score_rows(), score_rows().iloc[:1]]), **OPTIONS)


def test_a_missing_quantity_is_named():
    with pytest.raises(KeyError, match="entropy_nats"):
        correlate_metrics(prompt_rows(), score_rows(), quantities=("ec", "entropy_nats"), **OPTIONS)


def test_the_input_is_left_alone():
    prompts, scores = prompt_rows(), score_rows()
    before = prompts.copy(deep=True), scores.copy(deep=True)
    correlate_metrics(prompts, scores, **OPTIONS)
    pd.testing.assert_frame_equal(prompts, before[0])
    pd.testing.assert_frame_equal(scores, before[1])


def test_independent_quantities_seen_by_four_models_are_significant_at_the_nominal_rate():
    """If each pair of model and prompt counted as an observation, about a third would be significant."""
    rng, hits, pooled_hits, n_simulations = np.random.default_rng(2), 0, 0, 120
    scores = score_rows().iloc[:0]
    for seed in range(n_simulations):
        rows = prompt_rows().assign(ec=rng.exponential(size=N_PROMPTS), isc=rng.exponential(size=N_PROMPTS))
        prompts = pd.concat([rows.assign(model=model) for model in MODELS])
        table = correlate_metrics(prompts, scores, seed=seed, n_resamples=99, quantities=("ec", "isc"))
        hits += row(table, "prompt", "ec", "isc")["pearson_p"] <= 0.05
        pooled_hits += correlate_pair(prompts["ec"], prompts["isc"], seed=seed, n_resamples=99).pearson_p <= 0.05
    assert 0.005 <= hits / n_simulations <= 0.11  # 0.05 ± 0.02
    assert pooled_hits / n_simulations > 0.2
