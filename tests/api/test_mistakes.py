"""Mistakes of a new user in Python: the message says what was found, where, and what was expected.

test_mistakes_of_a_new_user.py lists all mistakes, those in configs and prompt files too.
"""

import inspect
from dataclasses import fields, replace

import internal_physics as ip
import numpy as np
import pytest
import torch
from internal_physics.api.loading import load
from internal_physics.api.reading import lens
from internal_physics.api.recording import record
from internal_physics.api.steering import steer
from internal_physics.config.load import load_config
from internal_physics.config.options.record import RecordOptions
from internal_physics.config.options.run import SourceOptions
from internal_physics.config.options.steering import SteeringOptions
from internal_physics.config.options.text import TextOptions
from internal_physics.config.prompts import Prompt
from internal_physics.families.information.options import ReadingOptions
from internal_physics.ground.errors import ConfigError, ModelError, PromptError, SourceError, StoreError, UserError
from internal_physics.models.options import LoadOptions
from tiny_models import save_snapshot

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(save_snapshot(tmp_path_factory.mktemp("mistakes") / "llama", "llama_tied"))


@pytest.fixture(scope="module")
def model(folder):
    return ip.load(folder)


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    return ip.load(str(save_snapshot(tmp_path_factory.mktemp("mistakes") / "bert", "bert")), task="masked")


@pytest.fixture(scope="module")
def trace(model):
    return ip.record(model, "hello world.")


def refused(call, error=UserError):
    with pytest.raises(error) as found:
        call()
    return found.value


@pytest.mark.parametrize(
    ("options", "place", "what", "todo"),
    [
        ({"quantisation": "nf4"}, "load", "unknown key 'quantisation'", "did you mean 'quantization'?"),
        ({"quantization": "int4"}, "load → quantization", "found 'int4'", "did you mean 'nf4'?"),
        ({"dtype": "fp17"}, "load → dtype", "found 'fp17'", "change it; docs/options.md describes every option"),
        ({"device": "gpu"}, "load → device", "found 'gpu'", "did you mean 'cuda'?"),
        ({"revision": "main"}, "load", "unknown key 'revision'", 'write "org/name@main"'),
        ({"task": "mlm"}, "load → task", "found 'mlm'", "change it; docs/options.md describes every option"),
    ],
)
def test_load(folder, options, place, what, todo):
    error = refused(lambda: ip.load(folder, **options), ConfigError)
    assert (error.where, error.what, error.todo) == (place, what, todo)


def test_a_number_format_by_its_usual_name_is_no_mistake(folder):
    assert ip.load(folder, dtype="fp16").module.dtype == torch.float16


@pytest.mark.parametrize("source", [3, None, "", ["a"]])
def test_a_source_is_text(source):
    error = refused(lambda: ip.load(source), SourceError)
    assert (error.where, error.what) == ("load → source", f"found {source!r}")


@pytest.mark.parametrize(
    ("options", "place", "what"),
    [
        ({"vector": [1, -1], "layer": 3}, "steer", "unknown key 'layer'"),
        ({"vector": []}, "steer → vector", "it is empty"),
        ({"vector": [NAN]}, "steer → vector → 0", "found nan"),
        ({"vector": np.array([1.0, INF])}, "steer → vector → 1", "found inf"),
        ({"vector": "abc"}, "steer → vector", "found 'abc'"),
        ({"vector": ["a"]}, "steer → vector → 0", "found 'a'"),
        ({}, "steer", "it has none or several of `vector`, `file` and `contrast`"),
        ({"vector": [1.0], "file": "v.pt"}, "steer", "it has none or several of `vector`, `file` and `contrast`"),
        ({"contrast": {"positive": ["a b"]}}, "steer → contrast", "'negative' is missing"),
        ({"contrast": {"positive": ["a"], "negativ": ["b"]}}, "steer → contrast", "unknown key 'negativ'"),
        ({"contrast": {"positive": ["a"], "negative": []}}, "steer → contrast → negative", "it is empty"),
        ({"vector": [1.0], "layers": 10}, "steer → layers", "found 10"),
        ({"vector": [1.0], "layers": []}, "steer → layers", "it is empty"),
        ({"vector": [1.0], "layers": [-1]}, "steer → layers", "there is no layer -1"),
        ({"vector": [1.0], "layers": [4]}, "steer → layers", "there is no layer 4"),
        ({"vector": [1.0], "layers": {1: NAN}}, "steer → layers → 1", "found nan"),
        ({"vector": [1.0], "scale": "big"}, "steer → scale", "found 'big'"),
        ({"vector": [1.0], "scale": NAN}, "steer → scale", "found nan"),
        ({"vector": [1.0], "scale": None}, "steer → scale", "it is empty"),
        ({"contrast": "happy"}, "steer → contrast", "found 'happy'"),
        ({"vector": [1.0], "layers": "all"}, "steer → layers", "found 'all'"),
        ({"vector": [1.0], "tokens": "all"}, "steer → tokens", "found 'all'"),
        ({"vector": [1.0], "tokens": [INF]}, "steer → tokens → 0", "found inf"),
        ({"vector": [1.0] * 33}, "steer → vector", "33 numbers"),
        ({"file": "nowhere.pt"}, "steer → file", "there is no file nowhere.pt"),
        ({"file": "vector.npy"}, "steer → file", "a steering file ending in '.npy'"),
    ],
)
def test_steer(model, options, place, what):
    error = refused(lambda: ip.steer(model, **options), ConfigError)
    assert (error.where, error.what) == (place, what)
    assert error.expected or error.todo
    assert "[all]" not in error.todo


def test_a_list_is_proposed_where_one_could_be_meant(model):
    assert refused(lambda: ip.steer(model, vector=[1.0], layers=10)).todo == "did you mean [10]?"


@pytest.mark.parametrize("layers", [[1, 3], (1, 3), range(1, 4, 2), np.array([1, 3]), {1: 0.5, np.int64(3): 1}])
def test_layers_are_given_in_any_usual_form(model, layers):
    assert set(ip.steer(model, vector=torch.ones(32), layers=layers).edits) == {1, 3}


@pytest.mark.parametrize(
    ("options", "place", "what"),
    [
        ({"weight_gradients": "full"}, "record → weight_gradients", "found 'full'"),
        ({"batch_size": 0}, "record → batch_size", "found 0"),
        ({"batch_size": 1.5}, "record → batch_size", "found 1.5"),
        ({"batch_size": 16.0}, "record → batch_size", "found 16.0"),
        ({"top_k": NAN}, "record → top_k", "found nan"),
        ({"steering": [1.0]}, "record → steering", "found a list"),
        ({"answer": "Paris"}, "record", "unknown key 'answer'"),
    ],
)
def test_record(model, options, place, what):
    error = refused(lambda: ip.record(model, "hello world.", **options), ConfigError)
    assert (error.where, error.what) == (place, what)


@pytest.mark.parametrize(
    ("prompts", "place", "what"),
    [
        (5, "record → prompts", "5 is not text"),
        (["hello you", None], "record → prompts → 1", "None is not text"),
        ({"txt": "hello you"}, "record → prompts: prompt 1", "unknown field 'txt'"),
        ({"prompt": "hello you"}, "record → prompts: prompt 1", "unknown field 'prompt'"),
        ("a", "prompt 'prompt_0' ('a')", "1 token: there is no next token to predict"),
        ({"text": "hello you", "answer": 3}, "record → prompts: prompt 1", "answer is 3, not text"),
        ({"answer": "you"}, "record → prompts: prompt 1", "prompt 'prompt_0' has no text"),
        ("", "record → prompts: prompt 1", "prompt 'prompt_0' has no text"),
        ([Prompt("a", "b c"), {"name": "A", "text": "d e"}], "record → prompts", "the name 'a' is used twice"),
    ],
)
def test_prompts(model, prompts, place, what):
    error = refused(lambda: ip.record(model, prompts), PromptError)
    assert error.where == place
    assert error.what.startswith(what)


@pytest.mark.parametrize(
    ("options", "place", "what"),
    [
        ({"temperature": 0}, "lens → temperature", "found 0"),
        ({"temperature": NAN}, "lens → temperature", "found nan"),
        ({"target": "foo"}, "lens → target", "found 'foo'"),
        ({"temprature": 1}, "lens", "unknown key 'temprature'"),
        ({"top_k": 0}, "lens → top_k", "found 0"),
        ({"dtype": "float32"}, "lens", "'dtype' does not apply to a model that is loaded"),
    ],
)
def test_the_lens(model, trace, options, place, what):
    error = refused(lambda: ip.lens(trace, model, **options), ConfigError)
    assert (error.where, error.what) == (place, what)


def test_a_lens_with_another_model_is_refused(model, trace):
    deeper = ip.Trace(replace(trace.info, n_layers=5), trace.tensors)
    error = refused(lambda: ip.lens(deeper, model), ModelError)
    assert error.what == "the trace has 5 blocks of width 32, the model 3 of width 32"


@pytest.mark.parametrize(
    ("call", "error", "place", "what"),
    [
        (lambda t: ip.metrics.ec([t, t]), StoreError, "ec", "found a list of 2"),
        (lambda _: ip.metrics.ec("a text"), StoreError, "ec", "found 'a text'"),
        (ip.metrics.isf, StoreError, "isf", "found one Trace"),
        (lambda t: ip.metrics.isf([t, 3]), StoreError, "isf → 1", "found 3"),
        (lambda t: ip.metrics.residual_gain(t, "first"), ConfigError, "residual_gain", "variant is 'first'"),
        (lambda t: ip.metrics.ec(t, layer=3), ConfigError, "ec", "unknown key 'layer'"),
        (lambda t: t.residual(4), StoreError, "trace of 'prompt_0'", "there is no residual 4"),
        (lambda t: t.residual(-1), StoreError, "trace of 'prompt_0'", "there is no residual -1"),
        (lambda t: t.residual_gradient("1"), StoreError, "trace of 'prompt_0'", "there is no residual '1'"),
        (lambda t: t.tensor("residul", 0, "x"), StoreError, "trace of 'prompt_0'", "no tensor 'x' of 'residul'"),
        (lambda t: t.gradient("up_proj"), StoreError, "trace of 'prompt_0'", "no recorded parameter 'up_proj'"),
        (lambda t: t.pulls(0), StoreError, "pulls → n", "found 0"),
        (lambda t: ip.write_trace("p.parquet", t), StoreError, "write_trace", "found (str, Trace)"),
        (lambda _: ip.record("m", "a b"), ModelError, "record → model", "found 'm'"),
        (lambda t: ip.lens(t, None), ModelError, "lens → model", "found None"),
        (lambda _: ip.lens("t", "m"), StoreError, "lens → trace", "found 't'"),
        (lambda _: ip.steer(None, vector=[1.0]), ModelError, "steer → model", "found None"),
        (lambda _: ip.record(), ConfigError, "record", "missing a required argument: 'model'"),
        (lambda _: ip.read_trace(None), StoreError, "read_trace → path", "found a NoneType"),
    ],
)
def test_traces_and_metrics(trace, call, error, place, what):
    found = refused(lambda: call(trace), error)
    assert found.where == place
    assert found.what.startswith(what)
    assert found.expected or found.todo


@pytest.mark.parametrize("path", ["/no/such/model", "./model", "~/no/such/model", "a/b/c"])
def test_a_path_is_not_taken_for_the_name_of_a_model_on_the_hub(path):
    error = refused(lambda: ip.load(path), SourceError)
    assert (error.where, error.what) == (f"path:{path}", "there is no such file or folder")


def test_a_masked_model_without_its_task_is_refused(tmp_path):
    error = refused(lambda: ip.load(str(save_snapshot(tmp_path / "bert", "bert"))))
    assert error.what == "this model sees later tokens"
    assert error.todo == "set task: masked"


@pytest.mark.parametrize(
    ("prompt", "what"),
    [("a b c", "0 masks"), ("a [MASK] [MASK]", "2 masks"), ({"text": "a [MASK]", "answer": "b"}, "")],
)
def test_prompts_of_a_masked_model(masked, prompt, what):
    if what:
        assert refused(lambda: ip.record(masked, prompt), PromptError).what == what
    else:  # a mapping is one prompt, and its answer is followed
        assert ip.record(masked, prompt).answer == "b"


@pytest.mark.parametrize(
    ("path", "where", "what"), [(None, "save → path", "found a NoneType"), (".", ".", "this is a folder")]
)
def test_saving_a_trace_under_no_name(trace, path, where, what):
    error = refused(lambda: trace.save(path), StoreError)
    assert (error.where, error.what) == (where, what)
    assert error.expected.startswith("the path of a file")


def test_a_name_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(AttributeError, match=r"no attribute 'open'; it has .*read_run"):
        _ = ip.open


def test_pulls_of_a_record_without_weight_gradients(model):
    trace = ip.record(model, "hello world.", weight_gradients="none")
    error = refused(trace.pulls, StoreError)
    assert error.what == "the record of 'prompt_0' keeps no weight gradients"


def test_reading_a_file_that_is_not_a_record(tmp_path):
    missing = refused(lambda: ip.read_trace(tmp_path / "p.parquet"), StoreError)
    assert missing.what == "there is no such file"
    assert "rule" not in str(missing)
    folder = refused(lambda: ip.read_trace(tmp_path), StoreError)
    assert folder.what == "this is a folder"
    assert "delete" not in str(folder)


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ({"information": {"temperature": NAN}}, "config: information → temperature"),
        ({"conditions": {"c": {"vector": [NAN]}}}, "config: conditions → c → vector → 0"),
    ],
)
def test_the_config_refuses_numbers_that_are_not_finite_with_the_same_message(section, place):
    prompts = [{"name": name, "text": "some text"} for name in "abc"]
    raw = {"models": {"m": {"source": "path:/m"}}, "prompt_sets": {"s": {"prompts": prompts}}}
    error = refused(lambda: load_config(raw | section), ConfigError)
    assert (error.where, error.what, error.expected) == (place, "found nan", "a finite number")


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (load, (LoadOptions, SourceOptions)),
        (record, (RecordOptions, TextOptions)),
        (steer, (SteeringOptions,)),
        (lens, (ReadingOptions,)),
    ],
)
def test_signatures_show_every_option_with_its_default(function, options):
    parameters = inspect.signature(function).parameters
    declared = {field.name: field for kind in options for field in fields(kind) if field.name != "source"}
    assert {name: parameters[name].default for name in declared} == {n: f.default for n, f in declared.items()}
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in declared)
    assert all(f"{name}:" in inspect.getdoc(function) for name in declared)


def test_representations_are_short(model, trace):
    push = ip.steer(model, vector=[1.0, -1.0])
    gradient = trace.gradient(trace.parameters[0])
    shown = [model, trace, push, gradient, ip.lens(trace, model), ip.metrics.residual_gain(trace)]
    assert [(repr(thing), len(repr(thing)) < 160) for thing in shown if len(repr(thing)) >= 160] == []
    assert [repr(thing).partition("(")[0] for thing in shown] == [
        *("Model", "Trace", "Steering", "FactoredGradient", "Lens", "Gain"),
    ]
