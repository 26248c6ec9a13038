"""Adapters whose settings and weights contradict each other: peft would leave parts out, or start them anew."""

import json

import internal_physics as ip
import pytest
import torch
import transformers as T
from internal_physics.ground.errors import SourceError
from internal_physics.models.lora_targets import LoraTargets, read_targets
from lora_adapters import factors, write_adapter
from merged_adapters import assert_runs_as, base_and_adapter, logits
from safetensors.torch import load_file, save_file
from tiny_models import build_tokenizer

Q = [f"model.layers.{i}.self_attn.q_proj" for i in (0, 1, 2)]
ATTENTION = [f"transformer.h.{i}.attn.c_attn" for i in (0, 1, 2)]


def refused(adapter, lost="", **settings):
    """What is said of an adapter once it has other settings, or lacks the tensors that have `lost` in their names."""
    path, file = adapter / "adapter_config.json", adapter / "adapter_model.safetensors"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    save_file({n: v for n, v in load_file(file).items() if not lost or lost not in n}, file)
    with pytest.raises(SourceError) as error:
        ip.load(str(adapter))
    assert error.value.where == str(path) or str(adapter) in error.value.where
    assert error.value.todo
    return error.value.what


@pytest.fixture
def dora(tmp_path):
    return base_and_adapter(
        tmp_path,
        "llama",
        lambda m: {k: v for q in Q for k, v in factors(m, q, lengths=True).items()},
        use_dora=True,
        target_modules=["q_proj"],
    )[1]


@pytest.fixture
def plain(tmp_path):
    return base_and_adapter(
        tmp_path,
        "llama",
        lambda m: {k: v for q in Q for k, v in factors(m, q).items()} | {"lm_head.weight": m.lm_head.weight + 1},
        target_modules=["q_proj"],
        modules_to_save=["lm_head"],
    )[1]


@pytest.fixture
def biased(tmp_path):
    return base_and_adapter(
        tmp_path,
        "gpt2",
        lambda m: {
            **{k: v for name in ATTENTION for k, v in factors(m, name, bias=True).items()},
            **{f"{name}.base_layer.bias": torch.ones(96) for name in ATTENTION},
        },
        target_modules=["c_attn"],
        lora_bias=True,
        bias="lora_only",
    )[1]


def test_row_lengths_that_the_settings_do_not_have(dora):
    assert refused(dora, use_dora=False) == f"use_dora is false, and it has the row lengths (DoRA) of {Q[0]}"


def test_row_lengths_that_are_lost(dora):
    """peft would take those of the base, so that the map has another scale than it was trained with."""
    said = f"use_dora is true, and it lacks the row lengths (DoRA) of {Q[1]}"
    assert refused(dora, lost="1.self_attn.q_proj.lora_magnitude") == said


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["k_proj", "layers.0.self_attn.q_proj"]},
        {"target_modules": r"model\.layers\.0\.self_attn\.q_proj"},
        {"exclude_modules": ["1.self_attn.q_proj"]},
        {"exclude_modules": r".*\.1\..*"},
        {"layers_to_transform": [0, 2]},
        {"layers_to_transform": 0, "layers_pattern": "layers"},
        {"layers_to_transform": [0, 1, 2], "layers_pattern": ["h"]},
        {"modules_to_save": ["lm_head", "layers.1.self_attn"]},
    ],
    ids=str,
)
def test_factors_of_modules_that_the_settings_leave_out(plain, settings):
    left_out = Q[0] if settings.get("layers_pattern") == ["h"] else Q[1]
    assert refused(plain, **settings) == f"it has factors of {left_out}, which its settings leave out"


def test_factors_that_are_lost(plain):
    said = f"it lacks the factors of {Q[1]}, which target_modules names"
    assert refused(plain, lost="layers.1.") == said


def test_a_target_without_factors(plain):
    said = "it lacks the factors of model.layers.0.mlp.up_proj, which target_modules names"
    assert refused(plain, target_modules=r".*\.(q_proj|up_proj)") == said


def test_a_whole_module_that_is_lost(plain):
    assert refused(plain, lost="lm_head") == "it lacks lm_head.weight, which modules_to_save names"


def test_peft_takes_the_ends_of_names_for_whole_modules(plain):
    """`norm` also stores `input_layernorm`, whose name ends so."""
    said = "it lacks model.layers.0.input_layernorm.weight, which modules_to_save names"
    assert refused(plain, modules_to_save=["lm_head", "norm"]) == said


@pytest.mark.parametrize(
    ("lost", "settings", "said"),
    [
        ("", {"lora_bias": False}, f"lora_bias is false, and it has the bias of B of {ATTENTION[0]}"),
        ("lora_B.bias", {}, f"lora_bias is true, and it lacks the bias of B of {ATTENTION[0]}"),
        ("base_layer", {}, f"it lacks {ATTENTION[0]}.bias, which bias: lora_only names"),
        ("", {"bias": "all"}, "it lacks transformer.h.0.ln_1.bias, which bias: all names"),
    ],
)
def test_biases(biased, lost, settings, said):
    assert refused(biased, lost, **settings) == said


@pytest.mark.parametrize("n_adapted", [1, 2])
def test_experts_whose_factors_are_lost(tmp_path, n_adapted):
    """Adapters from before transformers stacked experts change each by its own name: all of them, or some are lost."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    torch.manual_seed(0)
    model = T.MixtralForCausalLM(T.MixtralConfig(vocab_size=97, num_key_value_heads=2, num_local_experts=2, **sizes))
    model.save_pretrained(tmp_path / "base")
    build_tokenizer().save_pretrained(tmp_path / "base")
    stored = sorted(k for k in load_file(tmp_path / "base" / "model.safetensors") if k.endswith("w2.weight"))
    tensors = {}
    for key in stored[:n_adapted]:
        module = key.removesuffix(".weight")
        tensors |= {f"{module}.lora_A.weight": torch.randn(3, 64), f"{module}.lora_B.weight": torch.randn(32, 3)}
    adapter = write_adapter(tmp_path / "lora", tmp_path / "base", tensors, target_modules=["w2"])
    if n_adapted == 1:
        said = f"it lacks the factors of {stored[1].removesuffix('.weight')}, which target_modules names"
        assert refused(adapter) == said
        return
    with torch.no_grad():
        for e, (a, b) in enumerate(zip(list(tensors.values())[::2], list(tensors.values())[1::2], strict=True)):
            model.model.layers[0].mlp.experts.down_proj[e] += 7 / 3 * b @ a
    assert_runs_as(adapter, logits(model))


def test_a_part_under_two_names(plain):
    file = plain / "adapter_model.safetensors"
    stored = load_file(file)
    doubled = f"base_model.model.{Q[0]}.lora_B.weight"
    save_file(stored | {doubled.replace("lora_B", "lora_B.default"): 2 * stored[doubled]}, file)
    assert refused(plain).endswith("is stored under two names")


def test_an_embedding_under_its_own_and_its_wrapped_name(plain):
    file = plain / "adapter_model.safetensors"
    stored = load_file(file)
    head = stored["base_model.model.lm_head.weight"]
    save_file(stored | {"base_model.model.lm_head.modules_to_save.weight": 2 * head}, file)
    assert refused(plain).endswith("is stored under two names")


@pytest.mark.parametrize("named", [None, [], "all-linear"])
def test_settings_that_name_no_module_contradict_nothing(tmp_path, named):
    _, adapter, model, tensors = base_and_adapter(
        tmp_path, "llama", lambda m: factors(m, Q[0]), target_modules=named, bias="none", exclude_modules=[]
    )
    weight = model.get_submodule(Q[0]).weight
    a, b = (tensors[f"{Q[0]}.lora_{part}.weight"] for part in "AB")
    with torch.no_grad():
        weight += 7 / 3 * b @ a
        assert_runs_as(adapter, model(torch.tensor([[7, 9, 11, 20, 8, 30]])).logits)


@pytest.mark.parametrize(
    ("layers", "lists", "module", "expected"),
    [
        ((1,), (), "model.layers.1.mlp.experts.0.w1", True),
        ((0,), (), "model.layers.1.mlp.experts.0.w1", False),  # 0 is the number of the expert
        ((1,), ("h",), "model.layers.1.mlp.w1", False),
        ((1,), ("h", "layers"), "layers.1.mlp.w1", True),
        ((1,), (), "lm_head.w1", False),
        ((), (), "lm_head.w1", True),
    ],
)
def test_the_number_of_a_block(layers, lists, module, expected):
    assert LoraTargets(("w1",), layers=layers, lists=lists).include(module) is expected


def test_what_is_not_said():
    assert read_targets({}, "x") == LoraTargets()
    assert read_targets({"bias": None, "layers_to_transform": 0, "layers_pattern": "h"}, "x") == LoraTargets(
        layers=(0,), lists=("h",)
    )
