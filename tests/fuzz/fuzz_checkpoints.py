"""Checkpoints: every file of a model's folder, and GGUF. A result must equal that of transformers on the same damaged
files."""

import json
import math
import shutil
import struct
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import internal_physics as ip
import torch
import transformers as T
from damage import json_damaged, safetensors_damaged
from fuzz_kinds import Kind
from gguf_files import write_gguf
from hypothesis import strategies as st
from tiny_models import build_tokenizer

TEXT = "ab cab."
SCRATCH = TemporaryDirectory()
CONFIG = {
    **{"vocab_size": 80, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0, "max_position_embeddings": 32},
}


@cache
def _whole(kind):
    """A folder with a tiny model, made once; `sharded` with two files of weights and their index."""
    folder = Path(SCRATCH.name) / kind
    torch.manual_seed(0)
    config = T.GPT2Config(**_GPT2) if kind == "gpt2" else T.LlamaConfig(**CONFIG)
    model = T.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder, **({"max_shard_size": "4KB"} if kind == "sharded" else {}))
    build_tokenizer().save_pretrained(folder)
    _write_more(folder)
    return folder


_GPT2 = {
    "vocab_size": 80,
    "n_embd": 8,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 32,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
SPECIAL = {"unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": {"content": "[MASK]", "lstrip": False}}


def _write_more(folder):
    """Files that older checkpoints have beside the others."""
    (folder / "special_tokens_map.json").write_text(json.dumps(SPECIAL))
    (folder / "added_tokens.json").write_text(json.dumps({"[MASK]": 4}))
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": 3, "temperature": 0.7, "do_sample": True})
    )


def _maker(name, kind="llama"):
    def make(folder):
        (folder / "model").mkdir()
        for file in _whole(kind).iterdir():
            shutil.copy(file, folder / "model")
        return folder / "model" / name

    return make


def _read_model(path):
    """Load, record and compare with transformers alone."""
    model = ip.load(str(path if path.suffix == ".gguf" else path.parent))
    trace = ip.record(model, TEXT)
    assert len(trace.info.tokens) == len(trace.info.token_ids)
    where = {"pretrained_model_name_or_path": str(path.parent)}
    where |= {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    reference = T.AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    ids = torch.tensor([trace.info.token_ids])
    expected = reference(ids, labels=ids).loss.item()
    assert math.isclose(trace.loss_nats, expected, rel_tol=1e-5) or math.isnan(trace.loss_nats + expected)
    assert list(trace.info.token_ids) == _ids(where)


def _ids(where):
    return T.AutoTokenizer.from_pretrained(**where)(TEXT)["input_ids"]


def _json_meaning(content):
    return json_damaged(json.loads(content))


def _header_length(content):
    return int.from_bytes(content[:8], "little")


def _make_gguf(folder):
    return write_gguf(folder / "m.gguf")


NUMBERS = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "vocab_size",
)
NUMBERS = (*(f"llama.{name}" for name in NUMBERS), "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id")


@st.composite
def _gguf_meaning(draw, content):
    """Change one or two whole numbers of the metadata, or the shape, type or place of a tensor."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from([*NUMBERS, "token_embd.weight", "blk.0.attn_q.weight"])).encode()
        after = found.index(name) + len(name)
        place = after + (4 * draw(st.integers(0, 7)) if name.endswith(b"weight") else 4)
        found[place : place + 4] = struct.pack(
            "<I", draw(st.sampled_from([0, 1, 2, 3, 7, 64, 10**4, 2**20, 2**31, 2**32 - 1]))
        )
    return bytes(found)


def _gguf_metadata_end(content):
    return 0, content.index(b"token_embd.weight")


KINDS = (
    Kind("config.json", _maker("config.json"), _read_model, _json_meaning, n_examples=20),
    Kind("config.json of GPT-2", _maker("config.json", "gpt2"), _read_model, _json_meaning, n_examples=20),
    Kind("generation_config.json", _maker("generation_config.json"), _read_model, _json_meaning, n_examples=12),
    Kind("tokenizer.json", _maker("tokenizer.json"), _read_model, _json_meaning, n_examples=20),
    Kind("tokenizer_config.json", _maker("tokenizer_config.json"), _read_model, _json_meaning, n_examples=20),
    Kind("special_tokens_map.json", _maker("special_tokens_map.json"), _read_model, _json_meaning, n_examples=12),
    Kind("added_tokens.json", _maker("added_tokens.json"), _read_model, _json_meaning, n_examples=12),
    Kind(
        "safetensors header",
        _maker("model.safetensors"),
        _read_model,
        safetensors_damaged,
        lambda content: (0, 8 + _header_length(content)),
        n_examples=20,
    ),
    Kind(
        "safetensors body",
        _maker("model.safetensors"),
        _read_model,
        None,
        lambda content: (8 + _header_length(content), len(content)),
        n_examples=12,
    ),
    Kind(
        "index of shards", _maker("model.safetensors.index.json", "sharded"), _read_model, _json_meaning, n_examples=12
    ),
    Kind("GGUF header", _make_gguf, _read_model, _gguf_meaning, _gguf_metadata_end, n_examples=12),
)
