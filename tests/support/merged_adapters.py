"""Bases, their adapters, and the logits of the two together."""

import internal_physics as ip
import torch
from lora_adapters import write_adapter
from tiny_models import build_model, save_snapshot, task_of
from tolerances import SAME_PASS

IDS = torch.tensor([[7, 9, 11, 20, 8, 30]])
TARGETS = {
    "llama": ("model.layers.0.self_attn.q_proj", "model.layers.2.mlp.down_proj"),
    "llama_tied": ("model.layers.0.self_attn.q_proj", "model.layers.2.mlp.down_proj"),
    "gpt2": ("transformer.h.0.attn.c_attn", "transformer.h.1.mlp.c_proj"),
    "gpt_neox": ("gpt_neox.layers.1.attention.query_key_value",),
    "falcon": ("transformer.h.0.self_attention.query_key_value",),
    "phi3": ("model.layers.1.mlp.gate_up_proj",),
    "bert": ("bert.encoder.layer.1.attention.self.query", "cls.predictions.transform.dense"),
    "distilbert": ("distilbert.transformer.layer.0.ffn.lin1",),
}
EMBEDDINGS = {"llama": "model.embed_tokens", "llama_tied": "model.embed_tokens", "gpt2": "transformer.wte"}


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


def assert_runs_as(folder, expected, name="llama", **options):
    found = ip.load(str(folder), task=task_of(name), **options)
    worst = (logits(found.module) - expected).abs().max() / expected.abs().max()
    assert worst <= SAME_PASS
    return found


def base_and_adapter(tmp_path, name, tensors_of, **settings):
    """Folders of a base and of its adapter, and the base's model in memory."""
    base = save_snapshot(tmp_path / "base", name)
    model = build_model(name)
    tensors = tensors_of(model)
    return base, write_adapter(tmp_path / "lora", base, tensors, **settings), model, tensors
