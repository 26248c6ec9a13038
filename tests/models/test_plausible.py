"""A model config that needs more weights than its files can hold is refused before the model is built."""

import json

import internal_physics as ip
import pytest
import transformers as T
from internal_physics.ground.errors import ModelError
from internal_physics.models.plausible import refuse_deep
from tiny_models import save_snapshot


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return {name: save_snapshot(tmp_path_factory.mktemp("m") / name, name) for name in ("llama", "gpt2")}


def refused(folder, monkeypatch, **changes):
    """The error for a config with these changes, without any weight being loaded."""
    path = folder / "config.json"
    before = path.read_text()
    monkeypatch.setattr(T.PreTrainedModel, "from_pretrained", lambda *_, **__: pytest.fail("it is loaded"))
    try:
        path.write_text(json.dumps(json.loads(before) | changes))
        with pytest.raises(ModelError) as error:
            ip.load(str(folder))
    finally:
        path.write_text(before)
    assert error.value.where == str(path)
    return error.value


@pytest.mark.parametrize(("name", "entry"), [("llama", "num_hidden_layers"), ("gpt2", "n_layer")])
@pytest.mark.parametrize("number", [10**4, 2**31, 2**63, 1e30])
def test_more_blocks_than_tensors(whole, monkeypatch, name, entry, number):
    assert f"its {entry} is {number}, and there are " in refused(whole[name], monkeypatch, **{entry: number}).what


@pytest.mark.parametrize(
    ("name", "entry", "number"),
    [
        ("llama", "vocab_size", 10**8),
        ("llama", "hidden_size", 10**6),
        ("gpt2", "n_embd", 10**4),
        ("gpt2", "n_positions", 10**9),
    ],
)
def test_more_numbers_than_the_files_hold(whole, monkeypatch, name, entry, number):
    error = refused(whole[name], monkeypatch, **{entry: number})
    assert "it describes a model of " in error.what
    assert error.expected == "the config that belongs to the weights"


def test_a_nested_config_counts(tmp_path):
    with pytest.raises(ModelError, match="its num_layers is 1000, and there are 2 tensors"):
        refuse_deep({"text_config": {"num_layers": 1000}, "layer_types": ["a"] * 9, "vision_feature_layer": -2}, 2, "x")


def test_blocks_that_share_tensors_are_accepted():
    refuse_deep({"num_hidden_layers": 120, "num_hidden_groups": 1, "use_cache": True}, 25, "x")


@pytest.mark.parametrize("n_tokens", [0, 1])
def test_a_model_that_cannot_read_two_tokens(whole, n_tokens):
    path = whole["llama"] / "config.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"max_position_embeddings": n_tokens}))
    with pytest.raises(ModelError, match=f"by its config it reads at most {n_tokens} tokens") as error:
        ip.load(str(whole["llama"]))
    path.write_text(before)
    assert error.value.where == str(whole["llama"])


def test_an_error_of_the_check_on_loading_names_the_folder(whole, monkeypatch):
    def fail(_model):
        raise ModelError("not finite", where="LlamaForCausalLM", todo="another dtype")

    monkeypatch.setattr("internal_physics.recording.record.check_model", fail)
    with pytest.raises(ModelError, match="not finite") as error:
        ip.load(str(whole["llama"]))
    assert error.value.where == f"{whole['llama']}: LlamaForCausalLM"
    assert error.value.todo == "another dtype"
