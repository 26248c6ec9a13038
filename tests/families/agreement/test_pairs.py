"""Which records are compared: the reference of a model, the baseline of a condition; and their tables."""

import numpy as np
import pandas as pd
import pytest
from hand_traces import LABELS, make_trace
from internal_physics.config.load import load_config
from internal_physics.families.agreement.collect_agreement import collect_agreement
from internal_physics.families.agreement.pairs import COLUMNS, agreement_chunks
from internal_physics.families.agreement.tables import AGREEMENT, AGREEMENT_MEANS
from internal_physics.plan.run_plan import RunPlan
from internal_physics.records.listing import write_listing
from internal_physics.records.store import write_trace
from internal_physics.tables.check_tables import table_problems
from internal_physics.tables.chunks import write_chunks
from internal_physics.tables.conform import conform

SETTINGS = {"seed": 0, "n_resamples": 99, "confidence_level": 0.95}


@pytest.fixture
def run(tmp_path):
    """Writes the records of a model and condition, and gives their listings."""

    def write(model, condition="baseline", *, seed=0, sets=("s", "t"), n_prompts=3, **make):
        listings = []
        for name in sets:
            records = []
            for number in range(n_prompts):
                labels = {**LABELS, "model": model, "condition": condition, "prompt_set": name}
                trace = make_trace(f"p{number}", seed=seed + number, labels=labels, **make)
                path = tmp_path / "tensors" / model / condition / name / f"p{number}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                records.append((path, write_trace(trace, path)))
            listing = tmp_path / "records" / model / condition / f"{name}.part0.sha256"
            listing.parent.mkdir(parents=True, exist_ok=True)
            write_listing(records, listing)
            listings.append(str(listing))
        return listings

    return write


def compare(records, candidates, *, named=False):
    return pd.concat(agreement_chunks(records, candidates, named=named), ignore_index=True)


def pairs_of(rows):
    return list(rows[["reference", "reference_condition"]].drop_duplicates().itertuples(index=False, name=None))


def test_the_first_comparable_candidate_is_the_reference(run):
    longer, first, second = run("a", n_tokens=4), run("b", seed=10), run("c", seed=20)
    rows = compare(run("d"), [*longer, *first, *second])
    assert pairs_of(rows) == [("b", "baseline")]
    assert list(rows.columns) == list(COLUMNS)
    assert sorted(set(zip(rows["prompt_set"], rows["prompt"], strict=True))) == [
        (s, f"p{i}") for s in "st" for i in range(3)
    ]


def test_the_first_model_of_a_group_has_no_rows_and_the_log_says_so(run, caplog):
    caplog.set_level("INFO")
    rows = compare(run("b"), run("a", n_tokens=4))
    assert rows.empty
    assert list(rows.columns) == list(COLUMNS)
    assert "b is the first model of its tokenizer, depth and width: it has no reference" in caplog.text
    assert compare(run("b"), []).empty


def test_a_named_reference_that_is_not_comparable_gives_rows_that_say_why(run):
    rows = compare(run("b"), run("a", n_tokens=4), named=True)
    assert pairs_of(rows) == [("a", "baseline")]
    assert set(rows["status"]) == {"not comparable: other tokens than the reference"}
    assert rows["value"].isna().all()


def test_a_condition_is_compared_with_its_baseline_and_with_the_reference_in_the_same_condition(run):
    reference, own_baseline = run("a", "happy"), run("b", seed=5)
    rows = compare(run("b", "happy", seed=7), [*reference, *own_baseline])
    assert pairs_of(rows) == [("a", "happy"), ("b", "baseline")]
    assert set(rows["condition"]) == {"happy"}
    apart = rows.groupby(["reference", "quantity"])["value"].mean()
    assert apart["a", "residual_distance"] != apart["b", "residual_distance"]


def test_only_prompts_that_both_have_are_compared(run):
    rows = compare(run("b", seed=1), run("a", sets=("t",), n_prompts=2))
    assert sorted(set(zip(rows["prompt_set"], rows["prompt"], strict=True))) == [("t", "p0"), ("t", "p1")]


def test_a_model_against_its_own_copy_agrees_fully(run):
    rows = compare(run("b"), run("a"))
    cosines = rows[rows["quantity"].str.endswith("cosine")]["value"]
    np.testing.assert_allclose(cosines, 1, rtol=0, atol=1e-12)


@pytest.fixture
def collected(run, tmp_path):
    reference = run("a")
    paths = []
    for model, keep in (("b", "factors"), ("c", "norms")):
        path = tmp_path / "metrics" / "agreement" / model / "baseline.parquet"
        path.parent.mkdir(parents=True)
        write_chunks(agreement_chunks(run(model, seed=50, keep=keep), reference, named=False), path)
        paths.append(str(path))
    found: dict[str, list] = {"agreement": [], "agreement_means": []}
    for name, chunk in collect_agreement(paths, **SETTINGS):
        found[name].append(chunk)
    return {name: pd.concat(chunks, ignore_index=True) for name, chunks in found.items()}


def test_the_tables_match_their_descriptions(collected):
    for table in (AGREEMENT, AGREEMENT_MEANS):
        assert table_problems(conform(collected[table.name], table), table) == []


def test_a_mean_is_that_of_its_prompts_within_its_interval(collected):
    means = collected["agreement_means"]
    number = {"model": "b", "prompt_set": "s", "quantity": "gradient_cosine", "layer": 1}
    (row,) = means[(means[list(number)] == pd.Series(number)).all(axis=1)].itertuples()
    rows = collected["agreement"]
    values = rows[(rows[list(number)] == pd.Series(number)).all(axis=1)]["value"]
    assert row.mean == pytest.approx(values.mean(), rel=1e-12)
    assert values.min() <= row.ci_low < row.mean < row.ci_high <= values.max()
    assert (row.n_prompts, row.status) == (3, "ok")


def test_sets_that_keep_norms_have_a_status_in_the_means_too(collected):
    means = collected["agreement_means"]
    of_weights = means[means["quantity"].str.startswith("weight") & (means["model"] == "c")]
    assert len(of_weights) == 2 * 2  # two quantities on each of two sets
    assert of_weights["status"].str.startswith("norms of weight gradients have no direction").all()
    assert (of_weights["n_prompts"] == 0).all()
    kinds = means[means["quantity"].str.startswith("weight") & (means["model"] == "b")]["kind"]
    assert set(kinds) == {"embedding", "other", "convolution"}


# --- the plan -------------------------------------------------------------------------

PROMPTS = [{"name": name, "text": f"text {name}"} for name in "abc"]
MASKED = [{"name": name, "text": f"text [MASK] {name}"} for name in "abc"]


def plan(models, **options):
    sets = {"s": {"prompts": PROMPTS}}
    if "masked" in models.values():
        sets["gaps"] = {"prompts": MASKED, "task": "masked"}
    raw = {name: {"source": "path:somewhere", "task": task} for name, task in models.items()}
    return RunPlan(load_config({"models": raw, "prompt_sets": sets} | options))


def test_every_model_before_it_is_a_candidate():
    made = plan({"a": "causal", "b": "causal", "c": "causal"})
    assert made.references("a", "baseline") == []
    assert made.references("c", "baseline") == [("a", "baseline"), ("b", "baseline")]


def test_a_named_reference_is_the_only_candidate_also_of_models_before_it():
    made = plan({"a": "causal", "b": "causal", "c": "causal"}, reference="b")
    assert made.references("a", "baseline") == made.references("c", "baseline") == [("b", "baseline")]
    assert made.references("b", "baseline") == []


def test_a_masked_model_is_no_reference_of_a_causal_one():
    made = plan({"a": "causal", "b": "masked", "c": "causal"})
    assert made.references("b", "baseline") == []
    assert made.references("c", "baseline") == [("a", "baseline")]


def test_a_condition_has_its_own_baseline_and_the_models_that_have_the_condition():
    happy = {"vector": [1.0], "models": ["b", "c"]}
    made = plan({"a": "causal", "b": "causal", "c": "causal"}, conditions={"happy": happy})
    assert made.references("b", "happy") == [("b", "baseline")]
    assert made.references("c", "happy") == [("b", "happy"), ("c", "baseline")]


@pytest.mark.parametrize("models", [{"a": "causal"}, {"a": "causal", "b": "masked"}])
def test_without_anything_to_compare_there_is_no_table_and_no_figure(models):
    made = plan(models)
    assert [t for t in made.tables if t.startswith("agreement")] == []
    assert [f for f in made.figures() if f.startswith("agreement")] == []
    assert "agreement" in made.metrics


def test_conditions_alone_bring_the_tables_and_their_own_figure():
    made = plan({"a": "causal"}, conditions={"happy": {"vector": [1.0]}})
    assert [t for t in made.tables if t.startswith("agreement")] == ["agreement", "agreement_means"]
    assert [f for f in made.figures() if f.startswith("agreement")] == ["agreement_conditions"]


def test_weight_gradients_are_drawn_only_if_a_set_keeps_factors():
    models = {"a": "causal", "b": "causal"}
    assert "agreement_weights" in plan(models).figures()
    assert "agreement_weights" not in plan(models, record={"weight_gradients": "norms"}).figures()


def test_agreement_is_not_compared_between_conditions():
    assert "agreement" not in plan({"a": "causal"}).metrics_between_conditions
    assert "ec" in plan({"a": "causal"}).metrics_between_conditions
