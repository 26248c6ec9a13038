"""A transformers model as a GGUF file, as llama.cpp's converter writes it: names, layouts and metadata of its kind."""

from pathlib import Path

import numpy as np
import torch
import transformers as T
from gguf import MODEL_ARCH_NAMES, GGUFWriter, get_tensor_name_map
from gguf_files import MERGES, TOKENS

N_TOKENS = len(TOKENS)
_FROM_ZERO = ("gemma2", "gemma3", "nemotron")  # the gains of their norms count from 1 in files, from 0 in transformers


def write_model(path: Path, architecture: str, model: T.PreTrainedModel, **more: float) -> Path:
    """Write all weights of a model, and what its config says.

    Args:
        path: of the file.
        architecture: by the name that GGUF has for it.
        model: float32.
        more: entries of the architecture's metadata that take the place of the config's, or are added.
    """
    writer = GGUFWriter(str(path), architecture)
    for key, value in (_metadata(model.config) | {k.replace("__", "."): v for k, v in more.items()}).items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"{architecture}.{key}", value)
    _add_tokenizer(writer)
    for name, values in _tensors(architecture, model):
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# Entry of GGUF → names of the same in transformers' configs.
_ENTRIES = {
    "block_count": ("num_hidden_layers",),
    "context_length": ("max_position_embeddings",),
    "embedding_length": ("hidden_size",),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count": ("num_attention_heads",),
    "attention.head_count_kv": ("num_key_value_heads",),
    "attention.key_length": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps",),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "norm_epsilon", "layer_norm_epsilon", "norm_eps"),
    "attention.sliding_window": ("sliding_window",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "expert_count": ("num_experts", "num_local_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "vocab_size": ("vocab_size",),
}


def _metadata(config: T.PreTrainedConfig) -> dict[str, float]:
    found = {}
    for entry, names in _ENTRIES.items():
        values = [value for name in names if (value := getattr(config, name, None)) is not None]
        if values:
            found[entry] = values[0]
    rope = getattr(config, "rope_parameters", None) or {}
    rope = rope.get("full_attention", rope)
    if rope:
        head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        found["rope.freq_base"] = float(rope["rope_theta"])
        found["rope.dimension_count"] = int(head * rope.get("partial_rotary_factor", 1.0))
    return found


def _add_tokenizer(writer: GGUFWriter) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_merges(MERGES)
    writer.add_token_scores([0.0] * len(TOKENS))
    writer.add_token_types([1] * len(TOKENS))
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)


def _tensors(architecture: str, model: T.PreTrainedModel):
    arch = next(key for key, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(arch, model.config.num_hidden_layers)
    tied = model.config.tie_word_embeddings
    for name, values in model.state_dict().items():
        if name == "lm_head.weight" and tied:
            continue
        base, _, suffix = name.rpartition(".")
        found = values.float().numpy()
        if base.endswith("mlp.experts"):
            yield from _experts(name, found)
            continue
        if architecture in _FROM_ZERO and name.endswith("norm.weight"):
            found = found + 1
        if architecture == "gpt2" and found.ndim == 2 and ".h." in name:
            found = found.T  # transformers keeps [in, out] there
        if base.endswith("shared_expert_gate"):
            found = found[0]
        yield f"{names.get_name(base)}.{suffix}", found


def _experts(name: str, values: np.ndarray):
    """Gate and up stand one after the other in transformers, and apart in GGUF."""
    block = f"blk.{name.split('.')[2]}"
    if name.endswith("gate_up_proj"):
        gate, up = np.split(values, 2, axis=1)
        yield f"{block}.ffn_gate_exps.weight", gate
        yield f"{block}.ffn_up_exps.weight", up
    else:
        yield f"{block}.ffn_down_exps.weight", values


def shaken(config: T.PreTrainedConfig) -> T.PreTrainedModel:
    """A seeded random model whose gains are not 1 and biases not 0."""
    torch.manual_seed(0)
    model = T.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return model
