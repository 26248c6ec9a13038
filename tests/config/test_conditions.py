"""Conditions and tasks in the config: which models run which sets, and what is refused before any work."""

import copy

import pytest
from internal_physics.config.conditions import Run, files_behind, layer_weights
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError, PromptError

PROMPTS = [{"name": name, "text": "some text"} for name in "abc"]
MASKED = [{"name": name, "text": f"some [MASK] {name}"} for name in "abc"]
CONFIG = {
    "models": {"c1": {"source": "path:/x"}, "m": {"source": "path:/y", "task": "masked"}, "c2": {"source": "path:/z"}},
    "prompt_sets": {
        "s": {"prompts": PROMPTS},
        "t": {"prompts": PROMPTS},
        "gaps": {"prompts": MASKED, "task": "masked"},
    },
}


def load(**changes):
    return load_config(copy.deepcopy(CONFIG) | changes, where="my.yaml")


def condition(**options):
    return load(conditions={"push": options})


def refused(kind=ConfigError, **changes):
    with pytest.raises(kind) as error:
        load(**changes)
    return f"{error.value.where}: {error.value.what}"


def refused_condition(**options):
    return refused(conditions={"push": options})


def test_a_model_runs_the_sets_of_its_own_task():
    assert load().runs == (
        Run("c1", "baseline", ("s", "t")),
        Run("m", "baseline", ("gaps",)),
        Run("c2", "baseline", ("s", "t")),
    )


def test_a_condition_runs_on_the_models_and_sets_that_it_names():
    found = condition(vector=[1], models=["m", "c1"], prompt_sets=["t", "gaps"])
    steered = [run for run in found.runs if run.condition == "push"]
    assert steered == [Run("c1", "push", ("t",)), Run("m", "push", ("gaps",))]
    everywhere = condition(vector=[1])
    assert [run for run in everywhere.runs if run.condition == "push"] == [
        Run("c1", "push", ("s", "t")),
        Run("m", "push", ("gaps",)),
        Run("c2", "push", ("s", "t")),
    ]


def test_a_record_depends_only_on_what_the_condition_adds():
    found = condition(vector=[1], models=["c1"], prompt_sets=["s"]).conditions["push"]
    assert found.steering == {"vector": [1], "scale": 1}


def test_the_resolved_config_replays_conditions_and_tasks():
    first = condition(contrast={"positive": ["a"], "negative": ["b"]}, layers={1: 0.5})
    again = load_config(first.resolved())
    assert again.runs == first.runs
    assert again.conditions == first.conditions
    assert again.conditions["push"].steering["contrast"]["method"] == "mean_difference"


def test_a_model_without_a_set_and_a_set_without_a_model_are_refused():
    only_causal = {"s": {"prompts": PROMPTS}}
    assert "models → m: it is a masked model" in refused(prompt_sets=only_causal)
    models = {"c1": {"source": "path:/x"}}
    assert "prompt_sets → gaps: its task is masked" in refused(models=models)


@pytest.mark.parametrize(("text", "n_masks"), [("no gap", 0), ("[MASK] and [MASK]", 2)])
def test_a_masked_set_needs_one_mask_in_every_prompt(text, n_masks):
    sets = {"s": {"prompts": PROMPTS}, "gaps": {"task": "masked", "prompts": [*MASKED, {"name": "d", "text": text}]}}
    found = refused(PromptError, prompt_sets=sets)
    assert found == f"my.yaml: prompt_sets → gaps: prompt 'd': {n_masks} masks in {text!r}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "conditions → push: it has none or several of `vector`, `file` and `contrast`"),
        ({"vector": [1], "file": "x.pt"}, "it has none or several of `vector`, `file` and `contrast`"),
        ({"vector": []}, "conditions → push → vector"),
        ({"vector": [1, float("nan")]}, "conditions → push → vector → 1: found nan"),
        ({"vector": [1], "scale": float("inf")}, "conditions → push → scale: found inf"),
        ({"vector": [1], "layers": [-1]}, "conditions → push → layers: there is no layer -1"),
        ({"vector": [1], "layers": {"one": 1}}, "conditions → push → layers: there is no layer 'one'"),
        ({"vector": [1], "layers": [2, 2]}, "conditions → push → layers: a layer is given twice"),
        ({"vector": [1], "layers": {2: "much"}}, "conditions → push → layers → 2: found 'much'"),
        ({"vector": [1], "tokens": [True]}, "conditions → push → tokens → 0"),
        ({"vector": [1], "models": ["c3"]}, "conditions → push → models: there is no 'c3'"),
        ({"vector": [1], "prompt_sets": ["u"]}, "conditions → push → prompt_sets: there is no 'u'"),
        ({"vector": [1], "models": ["m"], "prompt_sets": ["s"]}, "push: no model of its `models` runs any"),
        ({"vector": [1], "layer": [2]}, "conditions → push: unknown key 'layer'"),
        ({"file": "nowhere.pt"}, "conditions → push → file: there is no file nowhere.pt"),
        ({"file": "vector.bin"}, "conditions → push → file: a steering file ending in '.bin'"),
        ({"contrast": {"positive": ["a"]}}, "conditions → push → contrast: 'negative' is missing"),
        ({"contrast": {"positive": ["a"], "negative": [" "]}}, "conditions → push → contrast → negative → 0"),
        ({"contrast": {"positive": ["a"], "negative": ["b"], "method": "pca"}}, "contrast → method: found 'pca'"),
        (
            {"contrast": {"positive": ["a", "b"], "negative": ["c"], "method": "principal_component"}},
            "conditions → push → contrast: 2 positive and 1 negative texts",
        ),
    ],
)
def test_a_wrong_condition_is_refused_with_its_place(options, message):
    assert message in refused_condition(**options)


def test_the_name_baseline_is_taken():
    assert "conditions → Baseline: the name 'Baseline'" in refused(conditions={"Baseline": {"vector": [1]}})
    assert "differ only in case" in refused(conditions={"a": {"vector": [1]}, "A": {"vector": [1]}})


def test_layers_are_a_list_or_a_mapping_whose_keys_may_be_text():
    assert layer_weights([3, 1], "") == {3: 1.0, 1: 1.0}
    assert layer_weights({"3": 0.5, 1: -2}, "") == {3: 0.5, 1: -2.0}
    assert layer_weights(None, "") is None


def test_a_csv_comes_with_its_local_sparse_coders(tmp_path):
    coder = tmp_path / "coder" / "layers.1" / "sae.safetensors"
    coder.parent.mkdir(parents=True)
    coder.touch()
    path = tmp_path / "c.csv"
    path.write_text(
        "sparse_model,hookpoint,feature_index,steering_coefficient\n"
        f"{tmp_path}/coder,layers.1,0,1\norg/hub,layers.2,0,1\n"
    )
    assert files_behind(path) == [str(path), str(coder)]
    assert files_behind("v.pt") == ["v.pt"]
