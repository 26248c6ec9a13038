"""The plan of a run: which tables and figures a config asks for, their inputs and their paths."""

import pytest
from internal_physics.config.load import load_config
from internal_physics.families.family import Per
from internal_physics.families.registry import FIGURES, METRICS
from internal_physics.plan.run_plan import RunPlan, table_files

MODELS = {"m": {"source": "path:somewhere"}, "n": {"source": "path:elsewhere"}}
PROMPTS = [{"name": name, "text": f"text {name}"} for name in "abc"]
HAPPY = {"vector": [1.0, -1.0], "models": ["m"], "prompt_sets": ["t"]}


def plan(**options):
    kept = {"s": "norms", "t": "factors"}
    sets = {name: {"prompts": PROMPTS, "weight_gradients": keep} for name, keep in kept.items()}
    return RunPlan(load_config({"models": MODELS, "prompt_sets": sets} | options))


@pytest.fixture(scope="module")
def steered():
    checkpoints = {name: MODELS[name] | {"step": step, "parent": "p"} for step, name in enumerate(MODELS)}
    asked = {"information": {"watch": [" a"]}, "jacobian": {"prompts": ["s"]}, "models": checkpoints}
    return plan(conditions={"happy": HAPPY}, **asked)


def test_a_run_without_conditions_compares_nothing():
    made = plan()
    assert not {"comparisons"} & set(made.tables)
    assert made.figures(Per.STEERED_SET) == []
    assert made.steered_sets == []


def test_conditions_add_their_table_and_figures_of_the_steered_sets_only(steered):
    assert "comparisons" in steered.tables
    assert steered.steered_sets == ["t"]
    assert set(steered.figures(Per.STEERED_SET)) == {n for n, f in FIGURES.items() if f.per == Per.STEERED_SET}
    files = steered.figure_files("layer_impact")
    assert files == ["results/figures/layer_impact-t.png", "results/figures/layer_impact-t.svg"]


@pytest.mark.parametrize(
    ("asked", "made"), [(["pdf"], ["png", "pdf"]), ([], ["png"]), (["svg", "png"], ["png", "svg"])]
)
def test_a_config_chooses_the_formats_of_figures_and_png_is_always_made(asked, made):
    chosen = plan(figures={"formats": asked})
    assert chosen.figure_formats == made
    assert chosen.figure_files("radar") == [f"results/figures/radar-{s}.{kind}" for s in "st" for kind in made]
    assert {path.rpartition(".")[2] for path in chosen.outputs() if "/figures/" in path} == set(made)


def test_watched_tokens_are_drawn_only_if_some_are_watched():
    assert "watched_tokens" not in plan(conditions={"happy": HAPPY}).figures()


@pytest.mark.parametrize("metric", ["ec", "isf", "residual_gain", "thermodynamics"])
def test_a_single_metric_adds_no_figure_that_reads_a_missing_table(metric):
    made = plan(metrics=[metric])
    assert {t for kind in made.figures() for t in FIGURES[kind].tables} <= set(made.tables)


def test_every_figure_reads_tables_that_are_made(steered):
    assert set(steered.figures()) == set(FIGURES)
    assert {t for kind in steered.figures() for t in FIGURES[kind].tables} <= set(steered.tables)


def test_files_lie_under_the_names_of_what_they_are_drawn_for(steered):
    assert steered.figure_files("radar", formats=("png",)) == [f"results/figures/radar-{s}.png" for s in "st"]
    assert steered.figure_files("gain_panels", formats=("svg",)) == [
        f"results/figures/gain_panels-{m}.svg" for m in "mn"
    ]
    assert steered.figure_files("gain_heatmap", formats=("png",)) == ["results/figures/gain_heatmap.png"]


def test_a_figure_gets_the_options_that_it_names_and_no_others(steered):
    assert steered.figure_options("correlation_matrix") == {}
    assert steered.figure_options("information_margin") == {
        "models": ["m", "n"],
        "prompt_sets": ["s", "t"],
        "quantity": "margin",
    }
    assert steered.figure_options("layer_impact")["prompt_sets"] == ["t"]


def test_inputs_are_in_the_order_of_the_models(steered):
    assert steered.figure_inputs("singular_spectra") == {
        "weights": ["results/weights/m.parquet", "results/weights/n.parquet"]
    }


def test_listings_are_of_the_sets_that_a_model_runs_in_a_condition(steered):
    assert steered.listings("m", "happy") == ["results/records/m/happy/t.part0.sha256"]
    assert len(steered.listings("n", "baseline")) == 2
    assert len(steered.all_listings()) == 5


def test_paths_for_runs_follow_models_and_conditions_then_the_other_wildcards(steered):
    found = steered.for_runs("{metric}/{model}/{condition}", metric=["ec", "isc"])
    assert found[:4] == ["ec/m/baseline", "isc/m/baseline", "ec/m/happy", "isc/m/happy"]
    assert len(found) == 6


def test_steering_files_are_the_users_own_or_derived():
    contrast = {"contrast": {"positive": ["x"], "negative": ["y"]}}
    made = plan(conditions={"happy": HAPPY, "sad": contrast})
    assert made.contrasts == {"sad": "sad"}
    assert made.steering_files("m", "sad") == ["results/steering/m/sad.safetensors"]
    assert made.steering_files("m", "happy") == made.steering_files("m", "baseline") == []
    assert made.steering("baseline") is None


def test_equal_contrasts_are_derived_once():
    texts = {"positive": ["x"], "negative": ["y"]}
    conditions = {
        "happy": HAPPY,
        "glad": {"contrast": texts, "scale": 2},
        "sad": {"contrast": {**texts, "method": "mean_difference"}, "scale": -1, "models": ["n"]},
        "other": {"contrast": {"positive": ["y"], "negative": ["x"]}},
    }
    made = plan(conditions=conditions)
    assert made.contrasts == {"glad": "glad", "sad": "glad", "other": "other"}
    assert made.steering_files("n", "sad") == ["results/steering/n/glad.safetensors"]
    assert made.steering("sad")["scale"] == -1


def test_a_metric_gets_the_statistics_options_that_it_takes(steered):
    assert steered.metric_options("isf") == {"confidence_level": 0.95}
    assert steered.metric_options("residual_gain") == {}


def test_metrics_that_can_be_ranked_are_those_of_the_benchmark(steered):
    assert steered.ranked_metrics == ["ec", "isc", "isg", "isa", "isf"]
    assert set(steered.collected_metrics) == set(METRICS) - {"information", "agreement", "routing", "kernel"}


def test_the_reference_comes_before_the_other_models():
    assert plan().reference_first == ["m", "n"]
    assert plan(reference="n").reference_first == ["n", "m"]


def test_the_scale_of_scores_is_an_input_if_it_is_named(tmp_path):
    (tmp_path / "scale.parquet").touch()
    assert plan().score_scale == []
    assert plan(score_scale=str(tmp_path / "scale.parquet")).score_scale == [str(tmp_path / "scale.parquet")]


def test_several_models_of_a_task_are_compared_on_the_sets_they_share():
    masked = {"source": "path:masked", "task": "masked"}
    gaps = {"task": "masked", "prompts": [{"name": "a", "text": "a [MASK]"}]}
    sets = {"s": {"prompts": PROMPTS}, "gaps": gaps}
    assert plan().compared_sets == ["s", "t"]
    mixed = {"metrics": ["ec"], "prompt_sets": sets}
    assert plan(models=MODELS | {"k": masked}, **mixed).compared_sets == ["s"]
    alone = plan(models={"m": MODELS["m"], "k": masked}, **mixed)
    assert alone.compared_sets == [] and "model_pairs" not in alone.tables


def test_a_table_has_two_files():
    assert table_files("a") == {"a_csv": "results/tables/a.csv", "a_parquet": "results/tables/a.parquet"}


def test_prompts_that_a_kernel_is_of_are_counted_by_what_is_kept_of_them():
    sets = {keep: {"prompts": PROMPTS, "weight_gradients": keep} for keep in ("norms", "factors", "sketch")}
    sets |= {"more": {"prompts": PROMPTS[:2], "weight_gradients": "sketch"}}
    made = RunPlan(load_config({"models": MODELS, "prompt_sets": sets, "record": {"prompts_per_job": 2}}))
    assert made.kept_prompts("m", "baseline") == (3, 5)
