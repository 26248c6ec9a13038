"""How a checkpoint is quantised, read from its config before any weight is read."""

import json

import pytest
from checkpoints import write_safetensors
from internal_physics.ground.errors import SourceError
from internal_physics.models.fetch import fetch
from internal_physics.models.snapshot import read_manifest
from internal_physics.models.sources import parse_source
from internal_physics.models.stored_quantization import stored_quantization

NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


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


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"quantization_config": NF4}, ("bitsandbytes", "nf4", 4, "float32")),
        (
            {"quantization_config": NF4 | {"bnb_4bit_compute_dtype": "bfloat16"}},
            ("bitsandbytes", "nf4", 4, "bfloat16"),
        ),
        ({"quantization_config": {"load_in_4bit": True}}, ("bitsandbytes", "fp4", 4, "float32")),
        ({"quantization_config": {"load_in_8bit": True}}, ("bitsandbytes", "int8", 8, "")),
        ({"quantization_config": {"quant_method": "gptq", "bits": 3}}, ("gptq", "gptq", 3, "")),
        ({"quantization_config": {"quant_method": "awq", "w_bit": 4}}, ("awq", "awq", 4, "")),
        ({"quantization_config": {"quant_method": "fp8"}}, ("fp8", "fp8", 8, "")),
        ({"quantization_config": {"quant_method": "of-tomorrow"}}, ("of-tomorrow", "of-tomorrow", None, "")),
        ({"compression_config": {"quant_method": "compressed-tensors"}}, ("compressed-tensors",) * 2 + (None, "")),
        ({"text_config": {"quantization_config": NF4}}, ("bitsandbytes", "nf4", 4, "float32")),
    ],
    ids=["nf4", "nf4-bfloat16", "fp4", "int8", "gptq", "awq", "fp8", "unknown", "compressed", "nested"],
)
def test_every_method_is_recognised(folder, config, expected):
    write(folder / "config.json", config)
    found = stored_quantization(folder)
    assert (found.method, found.name, found.bits, found.compute_dtype) == expected


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"quantization_config": None},
        {"torch_dtype": "float16"},
        {"quantization_config": NF4 | {"load_in_4bit": False, "load_in_8bit": False}},
    ],
    ids=["nothing", "null", "half", "switched-off"],
)
def test_checkpoints_that_are_not_quantised(folder, config):
    write(folder / "config.json", config)
    assert stored_quantization(folder) is None


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"quantization_config": "nf4"}, "quantization_config is 'nf4'"),
        ({"quantization_config": {"bits": 4}}, "its quantization_config names no quant_method"),
        ({"quantization_config": {"quant_method": 4}}, "its quantization_config names no quant_method"),
    ],
)
def test_a_config_without_the_method_is_refused(folder, config, what):
    write(folder / "config.json", config)
    error = message(stored_quantization, folder)
    assert error.what == what
    assert error.where == str(folder / "config.json")


def test_a_config_that_is_not_json_is_refused_with_its_file(folder):
    (folder / "config.json").write_text('{"quantization_config": ')
    error = message(stored_quantization, folder)
    assert error.what.startswith("not valid JSON: ")
    assert error.where == str(folder / "config.json")


def test_the_manifest_holds_the_quantisation(folder, tmp_path):
    plain = fetch(parse_source(f"path:{folder}"), tmp_path / "plain")
    write(folder / "config.json", {"quantization_config": NF4})
    fetch(parse_source(f"path:{folder}"), tmp_path / "nf4")
    assert plain.quantization is None
    assert read_manifest(tmp_path / "nf4").quantization == {
        "method": "bitsandbytes",
        "name": "nf4",
        "bits": 4,
        "compute_dtype": "float32",
    }
