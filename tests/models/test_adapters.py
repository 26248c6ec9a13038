"""Adapters are never ignored: one that lies with a model and is not asked for is refused by name."""

import json

import internal_physics as ip
import pytest
from checkpoints import write_safetensors
from internal_physics.ground.errors import SourceError
from internal_physics.models.adapters import refuse_adapter
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import parse_source

LORA = {"peft_type": "LORA", "base_model_name_or_path": "org/base", "r": 2}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "theirs").mkdir()
    write(tmp_path / "theirs" / "config.json", {})
    write_safetensors(tmp_path / "theirs" / "model.safetensors", a=[2, 3])
    return tmp_path / "theirs"


def write(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def message(function, *arguments):
    with pytest.raises(SourceError) as error:
        function(*arguments)
    return error.value


@pytest.mark.parametrize("place", ["", "checkpoint-500"])
def test_an_adapter_beside_its_base_is_refused_with_its_kind_and_base(folder, tmp_path, place):
    write(folder / place / "adapter_config.json", LORA)
    (folder / place / "adapter_model.safetensors").write_bytes(b"weights")
    error = message(fetch, parse_source(f"path:{folder}"), tmp_path / "snapshot")
    name = f"{place}/adapter_config.json".lstrip("/")
    assert error.what == f"{name} is a LORA adapter of org/base, which would not be applied"
    assert error.where == f"path:{folder}"
    assert error.todo.startswith(f"to apply it, set `adapter: path:{(folder / place)}`")
    assert not (tmp_path / "snapshot").exists()
    assert message(ip.load, str(folder)).what == error.what


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin", "pytorch_lora_weights.safetensors"])
def test_weights_of_an_adapter_are_recognised_without_its_settings(folder, name):
    (folder / name).write_bytes(b"weights")
    error = message(refuse_adapter, folder, "path:x")
    assert error.what == f"{name} is an adapter, which would not be applied"


def test_settings_that_cannot_be_read_are_refused_with_their_file(folder):
    (folder / "adapter_config.json").write_text("{")
    assert message(refuse_adapter, folder, "path:x").where == str(folder / "adapter_config.json")


def test_a_model_without_adapter_is_accepted(folder):
    (folder / "tokenizer").mkdir()
    refuse_adapter(folder, "path:x")
