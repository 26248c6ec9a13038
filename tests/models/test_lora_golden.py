"""Adapters merged here against the real peft: golden logits of peft 0.21.2, which is no dependency of the project.

Weights follow a formula, so that the numbers depend on no random generator. Where peft is installed, it is run too, and
has to give the same numbers.
"""

import importlib.util
import json
from pathlib import Path

import internal_physics as ip
import pytest
import torch
import transformers as T
from lora_adapters import factors, write_adapter
from tiny_models import build_tokenizer

IDS = torch.tensor([[7, 9, 11, 20, 8, 30]])
SIZES = {"vocab_size": 97, "bos_token_id": 0, "eos_token_id": 1}
MODELS = {
    "llama": lambda: T.LlamaForCausalLM(
        T.LlamaConfig(
            **SIZES,
            **{"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2},
            attention_bias=True,
            tie_word_embeddings=False,
        )
    ),
    "gpt2": lambda: T.GPT2LMHeadModel(T.GPT2Config(**SIZES, n_embd=16, n_layer=2, n_head=2, n_positions=64)),
}
# Name → model, settings, modules with factors and their ranks, parameters that are stored whole.
Q = [f"model.layers.{i}.self_attn.q_proj" for i in (0, 1)]
UP = [f"model.layers.{i}.mlp.up_proj" for i in (0, 1)]
ATTENTION = [f"transformer.h.{i}.attn.c_attn" for i in (0, 1)]
MLP = [f"transformer.h.{i}.mlp.c_proj" for i in (0, 1)]
CASES = {
    "plain": ("llama", {"target_modules": ["q_proj"]}, dict.fromkeys(Q, 3), ()),
    "rslora and patterns": (
        "llama",
        {
            "target_modules": ["q_proj", "up_proj"],
            "use_rslora": True,
            "rank_pattern": {"up_proj": 2, "^model.layers.0.self_attn.q_proj": 5},
            "alpha_pattern": {r"layers\.1\..*": 11, "q_proj": 2},
        },
        {Q[0]: 5, Q[1]: 3, **dict.fromkeys(UP, 2)},
        (),
    ),
    "one layer, one map excluded": (
        "llama",
        {
            "target_modules": ["q_proj", "up_proj"],
            "exclude_modules": ["mlp.up_proj"],
            "layers_to_transform": 1,
            "layers_pattern": "layers",
        },
        {Q[1]: 3},
        (),
    ),
    "expression": ("llama", {"target_modules": r".*\.1\.(self_attn\.q|mlp\.up)_proj"}, {Q[1]: 3, UP[1]: 3}, ()),
    "dora": ("llama", {"target_modules": ["up_proj"], "use_dora": True}, dict.fromkeys(UP, 3), ()),
    "dora of Conv1D": (
        "gpt2",
        {"target_modules": ["c_attn", "mlp.c_proj"], "use_dora": True, "fan_in_fan_out": True},
        dict.fromkeys(ATTENTION + MLP, 3),
        (),
    ),
    "bias of B, and biases of its maps": (
        "gpt2",
        {"target_modules": ["c_attn"], "lora_bias": True, "bias": "lora_only", "fan_in_fan_out": True},
        dict.fromkeys(ATTENTION, 3),
        [f"{module}.base_layer.bias" for module in ATTENTION],
    ),
    "embedding": (
        "llama",
        {"target_modules": ["embed_tokens", "q_proj"]},
        dict.fromkeys(["model.embed_tokens", *Q], 3),
        (),
    ),
    "whole modules": (
        "llama",
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head", "model.norm"]},
        dict.fromkeys(Q, 3),
        ["lm_head.weight", "model.norm.weight"],
    ),
}
GOLDEN: dict[str, list[float]] = {
    "plain": [1.058531, -0.219429, 1.331906, -1.673350, 1.328993],
    "rslora and patterns": [1.468540, 0.858978, 2.136126, 0.214875, 1.384996],
    "one layer, one map excluded": [1.223263, -0.006912, 0.779523, -1.623451, 1.398762],
    "expression": [0.568799, 0.495761, 1.145910, -0.119383, 1.407238],
    "dora": [1.015214, 0.653628, -0.644370, 1.261343, 1.371836],
    "dora of Conv1D": [-2.288219, -0.710491, -0.185654, 1.924060, 1.366236],
    "bias of B, and biases of its maps": [1.528133, -0.363532, 1.199460, -2.166594, 1.584211],
    "embedding": [-0.162576, -2.108941, 0.079500, -2.365951, 1.332431],
    "whole modules": [0.292063, -0.650064, -0.442986, -0.213523, 0.493589],
}
SAME = 2e-5  # absolute, of logits of order 1, written with six digits


def wave(shape, step: float, size: float) -> torch.Tensor:
    n = torch.Size(shape).numel()
    return (size * torch.sin(step * torch.arange(1, n + 1, dtype=torch.float64) ** 2)).float().reshape(shape)


def write(folder, name):
    """Base and adapter of a case; the folder of the adapter."""
    kind, settings, ranks, whole = CASES[name]
    model = MODELS[kind]()
    with torch.no_grad():
        for i, (parameter, values) in enumerate(model.named_parameters()):
            is_gain = values.ndim == 1 and not parameter.endswith("bias")
            values.copy_(is_gain + wave(values.shape, 0.37 + 0.011 * i, 0.5))
    model.save_pretrained(folder / "base")
    build_tokenizer().save_pretrained(folder / "base")
    tensors = {}
    for module, rank in ranks.items():
        own = factors(
            model, module, rank, lengths=settings.get("use_dora", False), bias=settings.get("lora_bias", False)
        )
        for part, values in own.items():
            tensors[part] = ("magnitude" in part) + wave(values.shape, 0.53 + 0.013 * len(tensors), 0.7)
    for parameter in whole:
        values = model.get_parameter(parameter.replace(".base_layer", ""))
        tensors[parameter] = wave(values.shape, 0.71, 0.5)
    return write_adapter(folder / "lora", folder / "base", tensors, **settings)


def shown(logits: torch.Tensor) -> list[float]:
    """Four logits of the last token and the root mean square of all, which no wrong weight leaves as they are."""
    return [*logits[0, -1, ::29].tolist(), logits.double().pow(2).mean().sqrt().item()]


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_peft(tmp_path, name):
    adapter = write(tmp_path, name)
    with torch.no_grad():
        found = [shown(ip.load(str(adapter)).module(IDS).logits), *by_peft(adapter)]
    for logits in found:
        assert logits == pytest.approx(GOLDEN[name], rel=0, abs=SAME)


def by_peft(adapter: Path) -> list[list[float]]:
    """The logits of peft, with the factors beside the weights and merged; none where peft is not installed."""
    if importlib.util.find_spec("peft") is None:
        return []
    peft = importlib.import_module("peft")
    base = json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    model = peft.PeftModel.from_pretrained(T.AutoModelForCausalLM.from_pretrained(base), adapter)
    return [shown(model.eval()(IDS).logits), shown(model.merge_and_unload()(IDS).logits)]
