"""The config: checked before any work, and every refusal says what, where, expected and what to do."""

import copy
from pathlib import Path

import jsonschema
import pytest
from internal_physics.config.load import check_duplicate_keys, load_config, schema
from internal_physics.families.registry import METRICS
from internal_physics.ground.errors import ConfigError, PromptError, SourceError, UserError
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.plan.record_jobs import record_jobs

ROOT = Path(__file__).parents[2]
READY_CONFIGS = [ROOT / "config.yaml", *sorted(p for p in (ROOT / "config").glob("*.yaml") if p.stem != "schema")]
PROMPTS = [{"name": name, "text": "some text"} for name in "abc"]
GOOD = {"models": {"m": {"source": "path:/some/model"}}, "prompt_sets": {"s": {"prompts": PROMPTS}}}
SEE_OPTIONS = "change it; docs/options.md describes every option"


def config(**changes):
    return {**copy.deepcopy(GOOD), **changes}


def with_model(**options):
    return config(models={"m": {"source": "path:/some/model", **options}})


def with_set(**options):
    return config(prompt_sets={"s": options})


def refused(raw, kind=ConfigError):
    with pytest.raises(kind) as error:
        load_config(raw, where="my.yaml")
    return error.value


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
        "batch_size": 16,
        "batch_tokens": 1024,
        "recompute": False,
        "prompts_per_job": 256,
        "attention_entropy": True,
        "top_k": 10,
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


@pytest.mark.parametrize(
    ("raw", "where", "unknown", "suggestion"),
    [
        (config(sed=1), "my.yaml", "sed", "did you mean 'seed'?"),
        (config(modells={}), "my.yaml", "modells", "did you mean 'models'?"),
        (with_model(quantisation="nf4"), "my.yaml: models → m", "quantisation", "did you mean 'quantization'?"),
        (config(record={"batchsize": 1}), "my.yaml: record", "batchsize", "did you mean 'batch_size'?"),
        (with_set(prompts=PROMPTS, weights="none"), "my.yaml: prompt_sets → s", "weights", "weight_gradients"),
        (config(statistics={"zzz": 1}), "my.yaml: statistics", "zzz", "remove it"),
        (config(**{"zzz": 1}) | {1: 2}, "my.yaml", 1, "remove it"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(raw, where, unknown, suggestion):
    error = refused(raw)
    assert error.where == where
    assert error.what == f"unknown key {unknown!r}"
    assert error.expected.startswith("some of ")
    assert suggestion in error.todo


def test_a_misspelt_section_is_an_unknown_key_and_not_only_a_missing_one():
    raw = config()
    raw["promt_sets"] = raw.pop("prompt_sets")
    assert refused(raw).todo == "did you mean 'prompt_sets'?"


@pytest.mark.parametrize(
    ("raw", "where", "found", "allowed", "suggestion"),
    [
        (with_model(quantization="nf5"), "my.yaml: models → m → quantization", "nf5", "none, int8, nf4, fp4", "'nf4'"),
        (with_model(compute_dtype="bflt16"), "my.yaml: models → m → compute_dtype", "bflt16", "bfloat16", "'bfloat16'"),
        (with_model(dtype="quadruple"), "my.yaml: models → m → dtype", "quadruple", "float64", SEE_OPTIONS),
        (with_model(task="mask"), "my.yaml: models → m → task", "mask", "causal, masked", "'masked'"),
        (
            config(metrics=["ec", "isd"]),
            "my.yaml: metrics → 1",
            "isd",
            ", ".join(METRICS),
            "did you mean",
        ),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_the_allowed_ones(raw, where, found, allowed, suggestion):
    error = refused(raw)
    assert error.where == where
    assert error.what == f"found {found!r}"
    assert error.expected.startswith("one of ")
    assert allowed in error.expected
    assert suggestion in error.todo


@pytest.mark.parametrize(
    ("raw", "where", "what", "expected"),
    [
        (config(seed=-1), "seed", "found -1", "a whole number ≥ 0; Seed of"),
        (config(seed=True), "seed", "found True", "a whole number ≥ 0; Seed of"),
        (config(record={"batch_size": 0}), "record → batch_size", "found 0", "a whole number ≥ 1; Largest number of"),
        (config(record=None), "record", "it is empty", "a mapping; How prompts are run"),
        (config(record=[3]), "record", "found [3]", "a mapping; How prompts are run"),
        (
            config(statistics={"confidence_level": 95}),
            "statistics → confidence_level",
            "found 95",
            "a number > 0, < 1;",
        ),
        (config(statistics={"n_resamples": 10}), "statistics → n_resamples", "found 10", "a whole number ≥ 99;"),
        (config(metrics=[]), "metrics", "it is empty", "a list; What to compute."),
        (config(models={}), "models", "it is empty", "a mapping; The models to profile"),
        (config(models={"m": None}), "models → m", "it is empty", "a mapping; A mapping with `source`"),
        (config(models=[{"m": 1}]), "models", "found [{'m': 1}]", "a mapping; The models to profile"),
        (with_model(device="tpu"), "models → m → device", "found 'tpu'", "Where the model runs."),
        (with_model(sha256="12"), "models → m → sha256", "found '12'", "Checksum that the model file"),
        (with_model(source="pipy:x==1"), "models → m → source", "found 'pipy:x==1'", "Where the model comes from."),
        (with_model(source="path:"), "models → m → source", "found 'path:'", "Where the model comes from."),
        (with_set(prompts=[]), "prompt_sets → s → prompts", "it is empty", "a list; The prompts themselves."),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_meaning_of_the_option(raw, where, what, expected):
    error = refused(raw)
    assert (error.where, error.what) == (f"my.yaml: {where}", what)
    assert error.expected.startswith(expected)
    assert error.todo == SEE_OPTIONS


@pytest.mark.parametrize(
    ("raw", "where", "what", "todo"),
    [
        (config(seed="1"), "seed", "found '1'", "remove the quotes"),
        (config(statistics={"confidence_level": "0.9"}), "statistics → confidence_level", "found '0.9'", "remove the"),
        (with_model(sha256=12), "models → m → sha256", "found 12", "put it in quotes"),
        (config(metrics="ec"), "metrics", "found 'ec'", "did you mean [ec]?"),
        (config(metrics=["ec", "ec"]), "metrics", "'ec' is given twice", "remove one of them"),
        (config(figures={"formats": "pdf"}), "figures → formats", "found 'pdf'", "did you mean [pdf]?"),
        (config(figures={"formats": ["pfd"]}), "figures → formats → 0", "found 'pfd'", "did you mean 'pdf'?"),
        (config(reference="n"), "reference", "there is no model 'n'", "name a model of this config"),
        (
            config(information={"lens_prompt": "s/d"}),
            "information → lens_prompt",
            "there is no prompt 's/d'",
            "did you",
        ),
    ],
)
def test_what_was_meant_is_said_where_one_can_tell(raw, where, what, todo):
    error = refused(raw)
    assert (error.where, error.what) == (f"my.yaml: {where}", what)
    assert error.todo.startswith(todo)


def test_the_message_says_that_a_gpu_is_called_cuda():
    assert refused(with_model(device="gpu")).todo == "did you mean 'cuda'?"


@pytest.mark.parametrize("missing", ["models", "prompt_sets"])
def test_a_missing_section_is_named(missing):
    raw = config()
    del raw[missing]
    error = refused(raw)
    assert (error.what, error.todo) == (f"{missing!r} is missing", f"add {missing!r}")


def test_a_missing_source_is_named_with_its_model():
    error = refused(config(models={"m": {"dtype": "float32"}}))
    assert (error.where, error.what) == ("my.yaml: models → m", "'source' is missing")


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ("pypi:name", "pypi:name==version"),
        ("pypi:name>=1", "pypi:name==version"),
        ("hf:a/b/c", "hf:org/name@revision"),
        ("hf:org/name@", "hf:org/name@revision"),
    ],
)
def test_a_source_of_wrong_form_is_refused_with_its_model_and_the_right_form(source, form):
    error = refused(with_model(source=source), SourceError)
    assert error.where == "my.yaml: models → m"
    assert error.what == f"cannot read the source {source!r}"
    assert error.expected == form


@pytest.mark.parametrize("section", ["models", "prompt_sets"])
@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "", ".hidden", "-dash", "größe", "x" * 101])
def test_a_name_that_cannot_be_part_of_a_path_is_refused(section, name):
    entry = next(iter(GOOD[section].values()))
    error = refused(config(**{section: {name: entry}}))
    assert error.where == f"my.yaml: {section}"
    assert error.what == f"the name {name!r} cannot be used"
    assert error.expected == "Letters, digits, '.', '_' and '-', starting with a letter or digit."
    assert error.todo == "rename it"


@pytest.mark.parametrize("section", ["models", "prompt_sets"])
@pytest.mark.parametrize("name", [1, True, None, 1.5])
def test_a_name_that_yaml_reads_as_something_else_is_refused(section, name):
    error = refused(config(**{section: {name: next(iter(GOOD[section].values()))}}))
    assert error.where == f"my.yaml: {section}"
    assert error.what == f"the name {name!r} is not text"
    assert error.todo == "put it in quotes"


@pytest.mark.parametrize("section", ["models", "prompt_sets", "conditions"])
@pytest.mark.parametrize("name", ["nan", "null", "NA", "1e3", "TRUE", "007"])
def test_a_name_is_text_whatever_it_looks_like(section, name):
    entries = {**GOOD, "conditions": {"c": {"vector": [1.0]}}}[section]
    assert list(load_config(config(**{section: {name: next(iter(entries.values()))}})).raw[section]) == [name]


@pytest.mark.parametrize("section", ["models", "prompt_sets"])
def test_names_that_differ_only_in_case_are_refused(section):
    entry = next(iter(GOOD[section].values()))
    error = refused(config(**{section: {"Twin": entry, "other": entry, "tWIN": entry}}))
    assert error.where == f"my.yaml: {section}"
    assert "differ only in case: 'twin'" in error.what
    assert error.todo == "rename one"


@pytest.mark.parametrize("options", [{}, {"file": "x.yaml", "prompts": PROMPTS}])
def test_a_set_with_none_or_several_of_file_prompts_and_generate_is_refused(options):
    error = refused(with_set(**options))
    assert error.where == "my.yaml: prompt_sets → s"
    assert "none or several of `file`, `prompts` and `generate`" in error.what


def test_a_missing_prompt_file_is_refused_with_its_set():
    error = refused(with_set(file="nowhere/x.yaml"), PromptError)
    assert error.where == "my.yaml: prompt_sets → s → nowhere/x.yaml"
    assert "there is no such file" in error.what
    assert "check the path" in error.todo


def test_a_wrong_prompt_in_the_config_is_refused_with_set_and_number():
    error = refused(with_set(prompts=[*PROMPTS, {"name": "d", "text": 42}]), PromptError)
    assert error.where == "my.yaml: prompt_sets → s: prompt 4"
    assert error.what == "text is 42, not text"


def test_a_key_given_twice_is_refused(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("models:\n  m: {source: 'path:/a'}\n  m: {source: 'path:/b'}\n")
    with pytest.raises(ConfigError, match=r"the key 'm' is given twice \(second time in line 3\)") as error:
        check_duplicate_keys([str(path)])
    assert str(path) in error.value.where


def test_a_message_is_plain_lines_in_a_fixed_order():
    assert str(refused(config(sed=1))).splitlines() == [
        "my.yaml: unknown key 'sed'",
        "  expected: some of conditions, figures, gpus_per_job, information, metrics, models, prompt_sets, provenance, "
        "record, reference, score_scale, seed, statistics, thermodynamics",
        "  what to do: did you mean 'seed'?",
    ]
    assert str(UserError("only this")) == "only this"


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


@pytest.mark.parametrize("raw", [None, [], "models", 3])
def test_a_config_that_is_not_a_mapping_is_refused(raw):
    with pytest.raises(ConfigError, match="found ") as error:
        load_config(raw, "my.yaml")
    assert error.value.where == "my.yaml"
