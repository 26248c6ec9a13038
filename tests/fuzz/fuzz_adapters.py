"""LoRA adapters and SentencePiece models. A merged weight must equal W + s·B·A of the files as they are; a text must be
cut as SentencePiece itself cuts it.
"""

import json
import math
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import internal_physics as ip
import torch
import transformers as T
from damage import json_damaged, safetensors_damaged
from fuzz_kinds import Kind
from internal_physics.models.refusals import reading
from internal_physics.models.tokenizer import read_tokenizer
from lora_adapters import write_adapter
from safetensors.torch import load_file
from sentencepiece import SentencePieceProcessor
from sentencepiece_models import LLAMA, UNIGRAM, trained
from tiny_models import build_tokenizer

SCRATCH = TemporaryDirectory()
SIZES = {
    **{"vocab_size": 80, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
    **{"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0},
}
MODULE = "model.layers.0.self_attn.q_proj"
RANK = 2
TEXT = "the cat sat."


@cache
def _base():
    folder = Path(SCRATCH.name) / "base"
    torch.manual_seed(0)
    T.AutoModelForCausalLM.from_config(T.LlamaConfig(**SIZES)).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


def _make_adapter(name):
    def make(folder):
        generator = torch.Generator().manual_seed(0)
        a, b = (torch.randn(shape, generator=generator) for shape in ((RANK, 8), (8, RANK)))
        tensors = {f"{MODULE}.lora_A.weight": a, f"{MODULE}.lora_B.weight": b}
        more = {"rank_pattern": {}, "alpha_pattern": {"k_proj": 3}, "use_rslora": False, "bias": "none"}
        write_adapter(folder / "lora", _base(), tensors, r=RANK, lora_alpha=3, target_modules=["q_proj"], **more)
        return folder / "lora" / name

    return make


def _read_adapter(path):
    with patch("huggingface_hub.constants.HF_HUB_OFFLINE", True):  # a damaged name of the base may be one of the hub
        model = ip.load(str(path.parent))
    settings = json.loads((path.parent / "adapter_config.json").read_text())
    stored = load_file(path.parent / "adapter_model.safetensors")
    a, b = (stored.get(f"base_model.model.{MODULE}.lora_{part}.weight") for part in "AB")
    weight = load_file(_base() / "model.safetensors")[f"{MODULE}.weight"].double()
    if a is not None:
        patterns = settings.get("alpha_pattern") or {}
        alpha = next((v for k, v in patterns.items() if re.match(rf"(.*\.)?({k})$", MODULE)), None)
        alpha = settings.get("lora_alpha", 8) if alpha is None else alpha
        weight += alpha / (math.sqrt(RANK) if settings.get("use_rslora") else RANK) * (b.double() @ a.double())
    found = dict(model.module.named_parameters())[f"{MODULE}.weight"]
    torch.testing.assert_close(found.double(), weight, rtol=1e-6, atol=1e-6)


def _make_pieces(settings):
    def make(folder):
        (folder / "m").mkdir()
        (folder / "m" / "config.json").write_text(json.dumps({"model_type": "llama"}))
        (folder / "m" / "tokenizer.model").write_bytes(trained(settings))
        return folder / "m" / "tokenizer.model"

    return make


def _read_pieces(path):
    """As a model's tokenizer is read; a damaged file that SentencePiece reads is a tokenizer of its own."""
    with reading("its tokenizer cannot be read", path.parent):
        tokenizer = read_tokenizer(path.parent)
    assert tokenizer(TEXT, add_special_tokens=False)["input_ids"] == SentencePieceProcessor(
        model_file=str(path)
    ).encode(TEXT)


def _header(content):
    return 0, 8 + int.from_bytes(content[:8], "little")


KINDS = (
    Kind(
        "adapter_config.json",
        _make_adapter("adapter_config.json"),
        _read_adapter,
        lambda content: json_damaged(json.loads(content)),
        n_examples=12,
    ),
    Kind(
        "adapter header",
        _make_adapter("adapter_model.safetensors"),
        _read_adapter,
        safetensors_damaged,
        _header,
        n_examples=12,
    ),
    Kind("SentencePiece BPE", _make_pieces(LLAMA), _read_pieces, None, n_examples=20),
    Kind("SentencePiece unigram", _make_pieces(UNIGRAM), _read_pieces, None, n_examples=20),
)
