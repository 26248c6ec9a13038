"""Configs that are refused: what, where, what was expected, and what to do."""

import pytest
import yaml
from configs import GOOD, PROMPTS, SEE_OPTIONS, config, refused, with_model, with_set
from internal_physics.config.explain import require_options
from internal_physics.config.load import check_duplicate_keys, load_config
from internal_physics.families.registry import METRICS
from internal_physics.ground.errors import ConfigError, PromptError, SourceError, UserError


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
        (
            with_model(quantization="int4"),
            "my.yaml: models → m → quantization",
            "int4",
            "none, int8, nf4, fp4",
            "'nf4'",
        ),
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
        (config(record={"batch_size": 16.0}), "record → batch_size", "found 16.0", "write 16"),
        (config(statistics={"confidence_level": "0.9"}), "statistics → confidence_level", "found '0.9'", "remove the"),
        (
            config(statistics={"confidence_level": "9e-1"}),
            "statistics → confidence_level",
            "found '9e-1'",
            "write 9.0e-1,",
        ),
        (with_model(sha256=12), "models → m → sha256", "found 12", "put it in quotes"),
        (config(metrics="ec"), "metrics", "found 'ec'", "did you mean [ec]?"),
        (config(metrics=["ec", "ec"]), "metrics", "'ec' is given twice", "remove one of them"),
        (config(figures={"formats": "pdf"}), "figures → formats", "found 'pdf'", "did you mean [pdf]?"),
        (config(figures={"formats": ["pfd"]}), "figures → formats → 0", "found 'pfd'", "did you mean 'pdf'?"),
        (with_model(source="/data/m"), "models → m → source", "found '/data/m'", "did you mean 'path:/data/m'?"),
        (with_model(source="./m.gguf"), "models → m → source", "found './m.gguf'", "did you mean 'path:./m.gguf'?"),
        (with_model(source="a/b@v1"), "models → m → source", "found 'a/b@v1'", "did you mean 'hf:a/b@v1'?"),
        (with_model(source="what is it"), "models → m → source", "found 'what is it'", "change it; docs/options.md"),
        (config(reference="n"), "reference", "there is no model 'n'", "name a model of this config"),
        (
            config(information={"lens_prompt": "s/d"}),
            "information → lens_prompt",
            "there is no prompt 's/d'",
            "did you",
        ),
        (config(jacobian={"prompts": ["s/d"]}), "jacobian → prompts", "there is no prompt 's/d'", "did you"),
    ],
)
def test_what_was_meant_is_said_where_one_can_tell(raw, where, what, todo):
    error = refused(raw)
    assert (error.where, error.what) == (f"my.yaml: {where}", what)
    assert error.todo.startswith(todo)


@pytest.mark.parametrize("text", ["1e-3", "4e3", "-2.5E4", "+7e0"])
def test_a_number_is_spelt_so_that_yaml_reads_it(text):
    """YAML 1.1 wants a point and a sign; without them a number is text, which nobody expects."""
    assert yaml.safe_load(text) == text
    rules = {"rate": {"type": "number"}}
    with pytest.raises(ConfigError) as error:
        require_options({"rate": text}, rules, "f()")
    spelt = error.value.todo.removeprefix("write ").partition(",")[0]
    assert yaml.safe_load(spelt) == float(text)


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
        "  expected: some of conditions, figures, gpus_per_job, information, jacobian, lab, metrics, models, "
        "prompt_sets, provenance, record, reference, score_scale, seed, statistics, thermodynamics",
        "  what to do: did you mean 'seed'?",
    ]
    assert str(UserError("only this")) == "only this"


@pytest.mark.parametrize("raw", [[], "models", 3])
def test_a_config_that_is_not_a_mapping_is_refused(raw):
    with pytest.raises(ConfigError, match="found ") as error:
        load_config(raw, "my.yaml")
    assert error.value.where == "my.yaml"


def test_an_empty_config_is_called_empty_and_a_way_to_one_is_named():
    error = refused(None)
    assert (error.where, error.what) == ("my.yaml", "it is empty")
    assert "internal-physics new DIR" in error.todo
