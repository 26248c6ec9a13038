"""The config: checked before any work, and every refusal says what, where, expected and what to do."""

from pathlib import Path

import jsonschema
import pytest
from configs import GOOD, PROMPTS, config, refused, with_set
from internal_physics.config.load import check_duplicate_keys, load_config
from internal_physics.config.validate import schema
from internal_physics.families.registry import METRICS
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.plan.record_jobs import record_jobs

ROOT = Path(__file__).parents[2]
READY_CONFIGS = [ROOT / "config.yaml", *sorted(p for p in (ROOT / "config").glob("*.yaml") if p.stem != "schema")]


def test_defaults_are_written_in_and_the_given_mapping_stays_as_it_was():
    given = config()
    raw = load_config(given).raw
    assert given == GOOD
    assert raw["models"]["m"] | {"source": ""} == {
        "source": "",
        "file": "",
        "sha256": "",
        "adapter": "",
        "task": "causal",
        "dtype": "float32",
        "quantization": "auto",
        "compute_dtype": "auto",
        "device": "auto",
        "allow_pickle": False,
        "trust_remote_code": False,
        "special_tokens": "tokenizer",
        "chat_template": False,
    }
    assert raw["record"] == {
        "weight_gradients": "factors",
        "sketch_size": 256,
        "sketch_seed": 0,
        "target": "loss",
        "target_token": "",
        "batch_size": 16,
        "batch_tokens": 1024,
        "recompute": False,
        "prompts_per_job": 256,
        "attention_entropy": True,
        "top_k": 10,
        "logits": True,
    }
    assert raw["metrics"] == list(METRICS)
    assert raw["statistics"] == {"confidence_level": 0.95, "n_resamples": 9999}
    assert (raw["seed"], raw["gpus_per_job"]) == (0, 0)


def test_defaults_are_not_shared_between_configs():
    first, second = load_config(config()), load_config(config())
    first.raw["metrics"].append("spoiled")
    assert "spoiled" not in second.raw["metrics"]


def test_a_given_option_keeps_its_value_and_its_siblings_get_their_defaults():
    raw = load_config(config(record={"batch_size": 3})).raw
    assert raw["record"]["batch_size"] == 3
    assert raw["record"]["top_k"] == 10


def test_the_order_in_which_options_are_written_changes_nothing():
    options = {"top_k": 3, "batch_size": 4, "weight_gradients": "norms"}
    configs = [load_config(config(record=dict(items))) for items in (options.items(), reversed(options.items()))]
    written = [str(c.resolved()) for c in (*configs, load_config(dict(reversed(config(record=options).items()))))]
    assert len(set(written)) == 1


def test_a_set_may_choose_its_weight_gradients():
    raw = config(record={"weight_gradients": "norms"}, metrics=["ec"])
    raw["prompt_sets"]["t"] = {"prompts": PROMPTS, "weight_gradients": "none"}
    sets = load_config(raw).prompt_sets
    assert (sets["s"].weight_gradients, sets["t"].weight_gradients) == ("norms", "none")


def test_models_that_differ_only_in_precision_share_a_snapshot():
    models = {
        "full": {"source": "path:/x"},
        "half": {"source": "path:/x", "dtype": "bfloat16"},
        "four": {"source": "path:/x", "quantization": "nf4"},
        "other": {"source": "path:/y"},
    }
    found = load_config(config(models=models))
    assert len(found.snapshots) == 2
    assert found.sources["full"] == found.sources["half"] == found.sources["four"] != found.sources["other"]


def test_a_resolved_config_gives_the_same_plan(tmp_path):
    prompts = tmp_path / "set.yaml"
    prompts.write_text("prompts:\n" + "".join(f"  - {{name: {n}, text: t, reason: why}}\n" for n in "abcd"))
    first = load_config(with_set(file=str(prompts), weight_gradients="norms"))
    prompts.unlink()
    again = load_config(first.resolved())
    assert again.prompt_sets == first.prompt_sets
    assert again.sources == first.sources
    assert record_jobs(again.prompt_sets.values(), 2) == record_jobs(first.prompt_sets.values(), 2)
    assert again.resolved() == first.resolved()


def test_provenance_in_a_replayed_config_is_ignored():
    assert load_config(config(provenance={"python": "3.11"})).raw == load_config(config()).raw


@pytest.mark.parametrize("path", READY_CONFIGS, ids=[path.name for path in READY_CONFIGS])
def test_ready_configs_are_valid(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    check_duplicate_keys([str(path)])
    found = load_config(load_yaml(path), where=path.name)
    assert found.models
    assert all(prompt_set.prompts for prompt_set in found.prompt_sets.values())


def test_one_schema_describes_every_option():
    jsonschema.Draft202012Validator.check_schema(schema())

    def undescribed(rules, place):
        for key, value in rules.get("properties", {}).items():
            if not value.get("description"):
                yield f"{place}{key}"
            yield from undescribed(value, f"{place}{key}.")

    parts = [schema(), *schema()["$defs"].values()]
    assert [name for part in parts for name in undescribed(part, "")] == []
    assert all(part["additionalProperties"] is False for part in parts if "properties" in part)


def test_the_scale_of_scores_must_be_an_existing_table(tmp_path):
    file = tmp_path / "scale.parquet"
    error = refused(config(score_scale=str(file)))
    assert (error.what, error.where) == (f"there is no such table: {str(file)!r}", "my.yaml: score_scale")
    assert "copy that file" in error.todo
    file.touch()
    assert load_config(config(score_scale=str(file))).score_scale == str(file)
    (tmp_path / "scale.csv").touch()
    assert "scores.parquet" in refused(config(score_scale=str(tmp_path / "scale.csv"))).expected
    assert load_config(config()).score_scale is None


def test_without_an_option_the_reference_is_the_first_comparable_model():
    assert load_config(config()).reference is None


def test_a_reference_is_the_name_of_a_model():
    assert load_config(config(reference="m")).reference == "m"


@pytest.mark.parametrize(("close", "todo"), [("smoll", "did you mean 'smol'?"), ("x", "name a model of this config")])
def test_a_reference_that_is_not_a_model_is_refused(close, todo):
    models = {name: {"source": "path:/some/model"} for name in ("smol", "other")}
    error = refused(config(models=models, reference=close))
    assert error.what == f"there is no model {close!r}"
    assert error.where == "my.yaml: reference"
    assert error.expected == "one of smol, other"
    assert error.todo == todo
