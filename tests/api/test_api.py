"""The Python API, as a notebook uses it: load, record, measure, write, read."""

import ast
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import internal_physics as ip
import numpy as np
import pytest
from cases import worst_difference
from internal_physics.config.prompts import Prompt
from internal_physics.ground.errors import ConfigError, ModelError, PromptError, SourceError, StoreError
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import MANIFEST
from internal_physics.models.sources import parse_source
from tiny_models import save_snapshot

METRICS = ("ec", "isc", "isg", "isa")
TEXTS = ["hello world.", "a", "the cat sat on a mat", "zebra zebra"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return save_snapshot(tmp_path_factory.mktemp("api") / "llama", "llama_tied")


@pytest.fixture(scope="module")
def model(folder):
    return ip.load(str(folder))


@pytest.fixture(scope="module")
def trace(model):
    return ip.record(model, "hello world.")


def test_a_text_gives_a_trace(trace):
    assert isinstance(trace, ip.Trace)
    assert (trace.info.text, trace.n_tokens, trace.n_layers) == ("hello world.", 12, 3)
    assert trace.info.tokens[:5] == tuple("hello")
    assert (trace.text, trace.tokens) == (trace.info.text, trace.info.tokens)
    assert repr(trace).startswith("Trace('hello world.': 12 tokens, 3 layers, loss ")


def test_several_texts_give_traces_in_their_own_order(model):
    texts = [t for t in TEXTS if len(t) > 1]
    traces = ip.record(model, texts, batch_size=2)
    assert [t.info.text for t in traces] == texts
    assert len({t.info.prompt for t in traces}) == len(texts)


def test_one_text_in_a_list_gives_a_list(model, trace):
    (found,) = ip.record(model, ["hello world."])
    assert worst_difference(found, trace)[0] == 0


def test_equal_texts_are_recorded_separately(model):
    assert len(ip.record(model, ["hello", "hello"])) == 2


def test_no_text_gives_no_trace(model):
    assert ip.record(model, []) == []


def test_a_text_without_a_next_token_is_refused(model):
    with pytest.raises(PromptError, match="at least 2 tokens"):
        ip.record(model, TEXTS)


def test_metrics_are_functions_of_a_trace(trace):
    values = [getattr(ip.metrics, metric)(trace) for metric in METRICS]
    assert all(isinstance(v, float) and np.isfinite(v) and v > 0 for v in values)


def test_isf_is_a_function_of_several_traces(model):
    value = ip.metrics.isf(ip.record(model, ["hello", "world of", "a cat"]))
    assert isinstance(value, float)
    assert np.isfinite(value)
    assert value > 0


def test_gradients_are_found_by_parameter_name(trace):
    gradient = trace.gradient("model.layers.0.mlp.up_proj.weight")
    assert gradient.dense().shape == gradient.shape == (64, 32)
    assert gradient.norm() == pytest.approx(np.linalg.norm(gradient.dense()), rel=1e-12)
    assert trace.gradient_norm("model.layers.0.mlp.up_proj.weight") == gradient.norm()


def test_an_unknown_parameter_is_refused_with_examples_of_known_ones(trace):
    with pytest.raises(StoreError, match=r"no recorded parameter 'lm_head\.weight'\n  expected: one of the 22 of"):
        trace.gradient("lm_head.weight")


def test_norms_without_factors_are_found_by_parameter_name(model, trace):
    norms = ip.record(model, "hello world.", weight_gradients="norms")
    name = "model.embed_tokens.weight"
    assert norms.gradient_norm(name) == pytest.approx(trace.gradient_norm(name), rel=1e-9)
    with pytest.raises(StoreError, match="weight_gradients: norms"):
        norms.gradient(name)


@pytest.mark.parametrize("kept", ["factors", "norms", "none"])
def test_a_trace_that_is_saved_and_read_back_is_the_same(model, kept, tmp_path):
    trace = ip.record(model, "the cat sat on a mat", weight_gradients=kept)
    ip.write_trace(trace, tmp_path / "deep" / "p.parquet")
    read = ip.read_trace(tmp_path / "deep" / "p.parquet")
    assert read.info == trace.info
    assert list(read.tensors) == list(trace.tensors)
    for key, tensor in trace.tensors.items():
        found = read.tensors[key]
        assert found.shape == tensor.shape, key
        assert np.array_equal(found, tensor.astype(found.dtype)), key
    assert read.parameters == trace.parameters
    assert [getattr(ip.metrics, m)(read) for m in METRICS] == [getattr(ip.metrics, m)(trace) for m in METRICS]
    if kept == "factors":
        for name in trace.parameters:
            assert np.array_equal(read.gradient(name).dense(), trace.gradient(name).dense())


def test_a_float64_trace_keeps_its_digits(folder, tmp_path):
    trace = ip.record(ip.load(str(folder), dtype="float64"), "hello world.")
    ip.write_trace(trace, tmp_path / "p.parquet")
    read = ip.read_trace(tmp_path / "p.parquet")
    assert read.residual(1).dtype == np.float64
    assert worst_difference(read, trace)[0] == 0


def test_provenance_is_in_the_trace(trace, folder):
    labels = trace.info.labels
    assert labels["model"] == str(folder)
    assert (labels["source"], labels["dtype"], labels["quantization"]) == (f"path:{folder}", "float32", "none")
    assert len(labels["sha256"]["model.safetensors"]) == 64
    assert labels["revision"] == f"sha256:{labels['sha256']['model.safetensors']}"


def test_a_snapshot_of_the_workflow_is_loaded_in_place(folder, trace, tmp_path):
    fetch(parse_source(f"path:{folder}"), tmp_path / "snapshot")
    assert (tmp_path / "snapshot" / MANIFEST).exists()
    found = ip.record(ip.load(str(tmp_path / "snapshot")), "hello world.")
    assert worst_difference(found, trace)[0] == 0


def test_a_folder_is_read_in_place(folder, trace, monkeypatch):
    """Nothing is copied or linked."""
    monkeypatch.setattr("internal_physics.api.loading.fetch", lambda *_: pytest.fail("fetched"))
    monkeypatch.setattr("tempfile.mkdtemp", lambda *_, **__: pytest.fail("a temporary folder"))
    before = {path.name: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}
    found = ip.record(ip.load(str(folder)), "hello world.")
    assert {path.name: path.stat().st_mtime_ns for path in folder.parent.rglob("*")} == before
    assert worst_difference(found, trace)[0] == 0


def test_a_folder_and_its_snapshot_have_the_same_labels(folder, model, tmp_path):
    fetch(parse_source(f"path:{folder}"), tmp_path / "snapshot")
    labels = ip.load(str(tmp_path / "snapshot")).labels
    assert {**labels, "model": ""} == {**model.labels, "model": ""}


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (
            lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-8]),
            "it is truncated",
        ),
        (lambda f: (f / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1"), "Git LFS"),
        (lambda f: (f / "tokenizer.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "config.json").unlink(), "no config.json in it"),
        (lambda f: (f / "config.json").write_text("[]"), "it holds a list"),
        (lambda f: (f / "model.safetensors").rename(f / "consolidated.safetensors"), "no safetensors weights"),
        (lambda f: (f / "model.safetensors").unlink(), "no safetensors weights"),
    ],
)
def test_an_incomplete_folder_is_refused_with_the_name_of_the_file(folder, tmp_path, harm, what):
    broken = shutil.copytree(folder, tmp_path / "broken")
    harm(broken)
    with pytest.raises(SourceError, match=what) as error:
        ip.load(str(broken))
    assert str(broken) in error.value.where


def test_a_checksum_holds_for_a_folder_too(folder):
    with pytest.raises(SourceError, match=r"model\.safetensors has sha256"):
        ip.load(str(folder), sha256="0" * 64)


def test_a_masked_model_predicts_at_its_mask(tmp_path):
    model = ip.load(str(save_snapshot(tmp_path / "bert", "bert")), task="masked")
    trace = ip.record(model, "a [MASK] c")
    assert trace.info.tokens[trace.info.read_position] == "[MASK]"
    assert np.isfinite(ip.metrics.ec(trace))


def test_quantisation_needs_one_argument_only(tmp_path):
    model = ip.load(str(save_snapshot(tmp_path / "llama")), quantization="nf4", device="cpu")
    trace = ip.record(model, "hello")
    assert trace.info.labels["quantization"] == "nf4"
    assert trace.gradient("model.layers.0.mlp.up_proj.weight").norm() > 0


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        ("path:/no/such/folder", {}, SourceError),
        ("pypi:no-version", {}, SourceError),
    ],
)
def test_a_source_that_cannot_be_obtained_is_refused(source, options, error):
    with pytest.raises(error):
        ip.load(source, **options)


def test_a_missing_gpu_is_refused(folder, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="torch sees no GPU"):
        ip.load(str(folder), device="cuda")


def test_an_unknown_option_is_refused(folder):
    with pytest.raises(ConfigError) as error:
        ip.load(str(folder), quantisation="nf4")
    assert error.value.what == "unknown key 'quantisation'"
    assert error.value.todo == "did you mean 'quantization'?"


@pytest.mark.parametrize("metric", dir(ip.metrics))
def test_every_metric_that_is_listed_is_a_function(metric):
    assert callable(getattr(ip.metrics, metric))


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(AttributeError, match="there is no metric 'ce'; there are ec, isc"):
        _ = ip.metrics.ce


def test_a_metric_needs_no_torch():
    """In a separate process, to see what a fresh interpreter loads."""
    code = "import sys, internal_physics as ip; assert callable(ip.metrics.ec); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_environment(), check=False)
    assert done.returncode == 0, done.stderr


def test_every_exported_name_exists():
    names = {"Run", "Trace", "compare", "generate", "lens", "load", "look", "metrics", "read_run", "read_trace"}
    names |= {"figures", "first_order_change", "jacobians", "kernel", "record", "steer", "weight_spectra"}
    names |= {"write_trace"}
    assert set(ip.__all__) == set(dir(ip)) == names
    assert all(getattr(ip, name) is not None for name in ip.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ip.nothing
    stub = ast.parse(Path(ip.__file__).with_suffix(".pyi").read_text())
    assert {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names} == names


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(ip.__file__).parents[1])}


class TestPrompts:
    """Names, answers and kinds of prompts, as texts, mappings and Prompt objects."""

    def test_a_mapping_is_one_prompt_and_gives_one_trace(self, model):
        trace = ip.record(model, {"name": "cat", "text": "the cat sat", "answer": "on", "kind": "pets"})
        assert (trace.name, trace.text, trace.answer, trace.kind) == ("cat", "the cat sat", "on", "pets")

    def test_texts_and_mappings_may_be_mixed(self, model):
        prompts = ["a cat", {"text": "a dog"}, Prompt("third", "a mat", kind="things")]
        traces = ip.record(model, prompts)
        assert [(t.name, t.kind) for t in traces] == [("prompt_0", ""), ("prompt_1", ""), ("third", "things")]

    def test_the_answer_of_a_masked_model_is_the_target_of_its_loss(self, tmp_path):
        model = ip.load(str(save_snapshot(tmp_path / "bert", "bert")), task="masked")
        own, other = (ip.record(model, {"text": "a [MASK] c", "answer": answer}) for answer in "ab")
        assert own.loss_nats != other.loss_nats
        assert (own.answer, other.answer) == ("a", "b")


class TestTrace:
    def test_logits_lists_the_kept_tokens_with_the_most_probable_first(self, model, trace):
        logits = trace.logits
        assert list(logits) == ["token", "id", "probability", "log_probability"]
        assert len(logits) == 10
        assert logits["probability"].is_monotonic_decreasing
        assert logits.attrs["units"] == {"log_probability": "nats"}
        reading = ip.lens(trace, model)
        assert np.allclose(logits["log_probability"], reading.final_log_p[logits["id"]], rtol=0, atol=1e-5)  # float32

    def test_frame_has_a_row_for_every_residual_and_token(self, trace):
        frame = trace.frame()
        assert len(frame) == (trace.n_layers + 1) * trace.n_tokens
        row = frame[(frame["layer"] == 2) & (frame["position"] == 5)].iloc[0]
        a, b = (trace.residual(layer)[5].astype(float) for layer in (2, 3))
        assert row["token"] == trace.tokens[5]
        assert row["residual_norm"] == pytest.approx(np.linalg.norm(a), rel=1e-12)
        assert row["gradient_norm"] == pytest.approx(np.linalg.norm(trace.residual_gradient(2)[5]), rel=1e-6)  # float32
        assert row["cosine_to_next"] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-12)
        assert frame.loc[frame["layer"] == trace.n_layers, "cosine_to_next"].isna().all()

    def test_a_saved_trace_can_be_opened_again(self, trace, tmp_path):
        read = ip.read_trace(trace.save(tmp_path / "deep" / "t.parquet"))
        assert isinstance(read, ip.Trace)
        assert read.frame().equals(trace.frame())


class TestLens:
    def test_tokens_are_texts_and_the_last_residual_gives_the_models_prediction(self, model, trace):
        reading = ip.lens(trace, model)
        assert len(reading.tokens(0)) == trace.n_tokens
        assert reading.tokens(trace.n_layers)[trace.info.read_position] == trace.logits["token"][0]
        assert reading.final_token == trace.logits["token"][0]
        assert len(reading.frame()) == (trace.n_layers + 1) * trace.n_tokens
        with pytest.raises(StoreError, match="there is no residual 4"):
            reading.tokens(4)

    def test_settled_layers_are_the_first_from_which_the_last_token_stays_on_top(self, model, trace):
        reading = ip.lens(trace, model)
        assert reading.settled_layers.shape == (trace.n_tokens,)
        for settled, column in zip(reading.settled_layers.astype(int), reading.top_ids.T, strict=True):
            assert (column[settled:] == column[-1]).all()
            assert settled == 0 or column[settled - 1] != column[-1]
        assert reading.settled_layer == reading.settled_layers[trace.info.read_position]

    def test_it_says_from_where_the_models_token_and_the_answer_are_on_top(self, model, trace):
        (best, second), (right, wrong) = trace.logits["token"][:2], trace.logits["id"][:2]
        answers = [replace(trace.info, answer=t, answer_id=int(i)) for t, i in ((best, right), (second, wrong))]
        one, other = (ip.lens(ip.Trace(info, trace.tensors), model) for info in answers)
        settled = f"on top from residual {one.settled_layer:.0f}"
        head = f"Lens({trace.name!r}: 3 layers, {trace.n_tokens} tokens"
        assert repr(one) == f"{head}; {best!r} {settled}, answer {best!r} {settled})"
        assert repr(other) == f"{head}; {best!r} {settled}, answer {second!r} not on top at the end)"

    def test_a_lens_from_a_folder_equals_that_of_the_loaded_model(self, folder, model, trace):
        of_folder = ip.lens(trace, str(folder))
        assert of_folder.tokens(1) == ip.lens(trace, model).tokens(1)


def test_a_folder_of_safetensors_is_read_in_place(folder, tmp_path, monkeypatch):
    """Nothing is copied or linked: no temporary folder is made, and the files have no second name."""
    copy = Path(shutil.copytree(folder, tmp_path / "model"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no-such-folder"))  # a temporary folder could not be made
    ip.load(str(copy))
    assert (copy / "model.safetensors").stat().st_nlink == 1
