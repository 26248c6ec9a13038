"""Checkpoints that are already quantised: the reported formats are those that run; contradictions are refused."""

import json
from pathlib import Path

import internal_physics as ip
import numpy as np
import pytest
import torch
import transformers as T
from edited_checkpoints import copy, edit_config, edit_tensors, refusal
from internal_physics.ground.errors import ModelError
from internal_physics.models.heads import HEADS
from internal_physics.models.lazy_readout import open_readout
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.models.precision import precision_of
from internal_physics.models.readout import Readout
from internal_physics.models.stored_quantization import StoredQuantization
from tiny_models import build_tokenizer
from tolerances import SAME_PASS

SIZES = {"vocab_size": 97, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
MLP = {**SIZES, "intermediate_size": 128}
HOW = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "fp4": {"load_in_4bit": True},
    "int8": {"load_in_8bit": True},
    "nf4_twice": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "nf4_bfloat16": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": "bfloat16"},
    "nf4_in_bfloat16": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_quant_storage": "bfloat16"},
}
NAMES = {name: name.partition("_")[0] for name in HOW}
TEXT = "the cat sat."


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """A plain model, and one saved by transformers for each way to quantise it."""
    root = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    config = T.LlamaConfig(**MLP, num_key_value_heads=2, bos_token_id=2, eos_token_id=3, pad_token_id=0)
    T.LlamaForCausalLM(config).save_pretrained(root / "plain")
    for name, how in HOW.items():
        quantised = T.AutoModelForCausalLM.from_pretrained(
            root / "plain", quantization_config=T.BitsAndBytesConfig(**how), device_map="cpu"
        )
        quantised.save_pretrained(root / name)
    for name in ("plain", *HOW):
        build_tokenizer().save_pretrained(root / name)
    return root


# --- reported formats ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOW)
def test_labels_and_records_name_the_formats_that_ran(folders, name):
    model = ip.load(str(folders / name))
    labels = ip.record(model, TEXT).info.labels
    assert labels["quantization"] == NAMES[name]
    assert labels["quantization_method"] == "bitsandbytes"
    assert labels["bits"] == (8 if name == "int8" else 4)
    compute = {"int8": "int8", "nf4_bfloat16": "bfloat16"}
    assert labels["compute_dtype"] == compute.get(name, "float32")
    assert labels["dtype"] == "float32"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("none", "none", 32, "float32", "float32")),
        ({"quantization": "none", "compute_dtype": "bfloat16"}, ("none", "none", 32, "float32", "float32")),
        ({"dtype": "bfloat16"}, ("none", "none", 16, "bfloat16", "bfloat16")),
        ({"quantization": "nf4"}, ("nf4", "bitsandbytes", 4, "float32", "float32")),
        (
            {"quantization": "fp4", "compute_dtype": "bfloat16", "dtype": "bfloat16"},
            ("fp4", "bitsandbytes", 4, "bfloat16", "bfloat16"),
        ),
        ({"quantization": "int8"}, ("int8", "bitsandbytes", 8, "int8", "float32")),
    ],
)
def test_labels_of_a_plain_checkpoint_are_read_from_the_modules_too(folders, options, expected):
    labels = ip.load(str(folders / "plain"), **options).labels
    keys = ("quantization", "quantization_method", "bits", "compute_dtype", "dtype")
    assert tuple(labels[key] for key in keys) == expected


@pytest.mark.parametrize("name", ["nf4", "fp4", "int8"])
def test_a_saved_quantised_model_gives_the_same_records_as_one_quantised_while_loading(folders, name):
    saved, loaded = ip.load(str(folders / name)), ip.load(str(folders / "plain"), quantization=name)
    first, second = ip.record(saved, TEXT), ip.record(loaded, TEXT)
    assert first.loss_nats == pytest.approx(second.loss_nats, rel=SAME_PASS)
    for parameter in second.parameters:
        assert first.gradient_norm(parameter) == pytest.approx(second.gradient_norm(parameter), rel=SAME_PASS)


@pytest.mark.parametrize("name", HOW)
def test_the_readout_of_a_saved_model_equals_the_whole_model(folders, name):
    options = LoadOptions(device="cpu")
    whole = load_snapshot(folders / name, options)
    residual = np.random.default_rng(0).standard_normal((3, 64))
    full = Readout(whole.module, whole.anatomy).logits(residual)
    assert torch.equal(full, open_readout(folders / name, options).logits(residual))


@pytest.mark.parametrize("name", ["nf4", "int8"])
def test_a_readout_that_is_stored_quantised_equals_the_whole_model(tmp_path, name):
    """BERT's transform before its head is a linear map outside the blocks."""
    torch.manual_seed(0)
    T.BertForMaskedLM(T.BertConfig(**MLP)).save_pretrained(tmp_path / "plain")
    how = T.BitsAndBytesConfig(**HOW[name])
    T.AutoModelForMaskedLM.from_pretrained(
        tmp_path / "plain", quantization_config=how, device_map="cpu"
    ).save_pretrained(tmp_path / name)
    build_tokenizer(True).save_pretrained(tmp_path / name)
    options = LoadOptions(device="cpu", task="masked")
    whole = load_snapshot(tmp_path / name, options)
    residual = np.random.default_rng(0).standard_normal((3, 64))
    full = Readout(whole.module, whole.anatomy).logits(residual)
    assert torch.equal(full, open_readout(tmp_path / name, options).logits(residual))


def test_a_dtype_in_the_config_is_not_taken_for_the_one_that_ran(folders, tmp_path):
    folder = edit_config(copy(folders / "plain", tmp_path), torch_dtype="float16", dtype="float16")
    assert ip.load(str(folder)).labels["dtype"] == "float32"


def test_half_precision_around_a_saved_quantisation(folders):
    labels = ip.load(str(folders / "nf4"), dtype="bfloat16").labels
    assert (labels["quantization"], labels["dtype"], labels["compute_dtype"]) == ("nf4", "bfloat16", "float32")


# --- contradictions --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nf4", "fp4", "int8"])
@pytest.mark.parametrize("asked", ["none", "int8", "nf4", "fp4"])
def test_another_quantisation_than_the_stored_one_is_refused_with_both(folders, name, asked):
    if asked == name:
        assert ip.load(str(folders / name), quantization=asked).labels["quantization"] == name
        return
    error = refusal(folders / name, quantization=asked)
    assert error.what == f"quantization: {asked} was asked for, and the checkpoint is already quantised: {name}"
    assert error.where == str(folders / name)
    assert "leave `quantization` out" in error.todo


def test_another_compute_type_than_the_stored_one_is_refused_with_both(folders):
    error = refusal(folders / "nf4_bfloat16", compute_dtype="float32")
    assert error.what == (
        "compute_dtype: float32 was asked for, and the checkpoint is stored to be multiplied in bfloat16"
    )
    assert error.expected == "compute_dtype: auto or bfloat16"
    assert ip.load(str(folders / "nf4_bfloat16"), compute_dtype="bfloat16").labels["compute_dtype"] == "bfloat16"


def test_a_contradiction_is_found_before_the_weights_are_read(folders, monkeypatch):
    monkeypatch.setattr(HEADS["causal"], "from_pretrained", lambda *_a, **_k: pytest.fail("the weights were read"))
    assert "already quantised: nf4" in refusal(folders / "nf4", quantization="int8").what


def test_the_lens_uses_the_stored_quantisation_too(folders):
    with pytest.raises(ModelError, match="the checkpoint is already quantised: nf4"):
        open_readout(folders / "nf4", LoadOptions(device="cpu", quantization="int8"))


# --- inconsistent files ----------------------------------------------------------------------------


def test_codes_without_their_config_are_refused(folders, tmp_path):
    """int8 weights have the same shapes as the model's: they would be loaded as numbers up to 127."""
    folder = edit_config(copy(folders / "int8", tmp_path), quantization_config=None)
    edit_tensors(folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.endswith("SCB")])
    error = refusal(folder)
    assert "model.layers.0.mlp.down_proj.weight" in error.what
    assert error.what.endswith("of it: stored as codes of a quantisation, which config.json does not mention")


def test_packed_weights_without_their_config_are_refused_by_their_shape(folders, tmp_path):
    folder = edit_config(copy(folders / "nf4", tmp_path), quantization_config=None)
    assert "model.layers.0.mlp.down_proj.weight (4096, 1) instead of (64, 128)" in refusal(folder).what


@pytest.mark.parametrize("name", ["nf4", "int8"])
def test_packed_weights_without_their_scales_are_refused(folders, tmp_path, name):
    def without_scales(tensors: dict[str, torch.Tensor]) -> None:
        for key in [k for k in tensors if "layers.1.mlp.up_proj" in k and not k.endswith(".weight")]:
            del tensors[key]

    what = refusal(edit_tensors(copy(folders / name, tmp_path), without_scales)).what
    assert what.startswith("model.layers.1.mlp.up_proj")
    assert "holds packed weights" in what


def test_the_kind_of_4_bit_weights_is_read_from_the_weights(folders, tmp_path):
    """Not from the config, which may say fp4 although the weights are NF4."""
    settings = json.loads((folders / "nf4" / "config.json").read_text())["quantization_config"]
    folder = copy(folders / "nf4", tmp_path)
    edit_config(folder, quantization_config={**settings, "bnb_4bit_quant_type": "fp4"})
    assert ip.load(str(folder)).labels["quantization"] == "nf4"
    assert refusal(folder, quantization="fp4").what == ("quantization: fp4 was asked for, and the loaded model has nf4")


def test_packed_modules_of_an_unknown_kind_are_refused():
    class Packed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("qweight", torch.zeros(4, 4, dtype=torch.int32))

    module = torch.nn.Sequential(torch.nn.Linear(4, 4), Packed())
    with pytest.raises(ModelError) as error:
        precision_of(module, StoredQuantization("gptq", "gptq", 4, ""))
    assert error.value.what == "1 (Packed) holds packed weights of a kind whose gradient cannot be recorded"
