"""A transformers model as a GGUF file, as llama.cpp's converter writes it: names, layouts and metadata of its kind."""

from pathlib import Path

import numpy as np
import torch
import transformers as T
from gguf import MODEL_ARCH_NAMES, GGUFWriter, TensorNameMap, get_tensor_name_map
from gguf_files import MERGES, TOKENS

N_TOKENS = len(TOKENS)
_FROM_ZERO = ("gemma2", "gemma3", "nemotron")  # the gains of their norms count from 1 in files, from 0 in transformers


def write_model(path: Path, architecture: str, model: T.PreTrainedModel, **more: float | str | list[int]) -> Path:
    """Write all weights of a model, and what its config says.

    Args:
        path: of the file.
        architecture: by the name that GGUF has for it.
        model: float32.
        more: entries of the architecture's metadata that take the place of the config's, or are added.
    """
    writer = GGUFWriter(str(path), architecture)
    for key, value in (_metadata(model.config) | {k.replace("__", "."): v for k, v in more.items()}).items():
        _add(writer, f"{architecture}.{key}", value)
    _add_tokenizer(writer)
    for name, values in _tensors(architecture, model):
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: GGUFWriter, key: str, value: float | str | list[int]) -> None:
    """An entry of the type of its value; bool is a kind of int."""
    if isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_uint32(key, value)


# Entry of GGUF → names of the same in transformers' configs.
_ENTRIES = {
    "block_count": ("num_hidden_layers",),
    "context_length": ("max_position_embeddings",),
    "embedding_length": ("hidden_size",),
    "feed_forward_length": ("intermediate_size", "n_inner", "ffn_hidden_size"),
    "attention.head_count": ("num_attention_heads",),
    "attention.head_count_kv": ("num_key_value_heads", "num_kv_heads"),
    "attention.key_length": ("head_dim",),
    "attention.value_length": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps",),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "norm_epsilon", "layer_norm_epsilon", "norm_eps"),
    "attention.sliding_window": ("sliding_window",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "expert_count": ("num_experts", "num_local_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "shortconv.l_cache": ("conv_L_cache",),
    "ssm.conv_kernel": ("conv_kernel",),
    "ssm.state_size": ("state_size",),
    "ssm.time_step_rank": ("time_step_rank",),
    "vocab_size": ("vocab_size",),
}
# As llama.cpp's converter writes entries that have no name of their own in a config.
_MORE = {
    "falcon": lambda c: {"attention.head_count_kv": c.num_kv_heads if c.new_decoder_architecture else 1},
    "bloom": lambda c: {"feed_forward_length": 4 * c.hidden_size, "attention.head_count_kv": c.n_head},
    "mamba": lambda c: {
        **{"ssm.inner_size": c.intermediate_size, "attention.layer_norm_rms_epsilon": c.layer_norm_epsilon},
        **{"feed_forward_length": 0, "attention.head_count": 0, "context_length": 2**20, "ssm.dt_b_c_rms": False},
    },
    "lfm2": lambda c: {
        "attention.layer_norm_rms_epsilon": c.norm_eps,
        "attention.head_count_kv": [c.num_key_value_heads * (kind == "full_attention") for kind in c.layer_types],
    },
    "minimax_m2": lambda c: {
        **{"expert_gating_func": 2, "rope.dimension_count": c.rotary_dim},
        "expert_feed_forward_length": c.intermediate_size,
    },
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
    own = _MORE.get(config.model_type)
    found |= own(config) if own else {}
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
        base = name.rpartition(".")[0]
        found = values.float().numpy()
        if base.endswith("mlp.experts") and not name.endswith("_bias"):
            yield from _experts(name, found)
            continue
        if architecture in _FROM_ZERO and name.endswith("norm.weight"):
            found = found + 1
        if base.endswith("shared_expert_gate"):
            found = found[0]
        if architecture in _LAYOUTS:
            found = _LAYOUTS[architecture](name, found, model.config)
        yield _name(name, names), found


def _name(name: str, names: TensorNameMap) -> str:
    """GGUF's name; that of the model without its head where it has none for the whole, and of a parameter by itself."""
    base, _, suffix = name.rpartition(".")
    inner = name.removeprefix("transformer.")
    if found := names.get_name(base):
        return f"{found}.{suffix}"
    if found := names.get_name(inner.rpartition(".")[0]):
        return f"{found}.{suffix}"
    return f"blk.{name.split('.')[2]}.exp_probs_b.bias" if suffix.endswith("correction_bias") else names.get_name(name)


def _of_llama(name: str, values: np.ndarray, config: T.PreTrainedConfig) -> np.ndarray:
    """The halves of a head that are turned together → neighbours."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return values
    n_heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
    heads = values.reshape(n_heads, 2, -1, values.shape[1])
    return np.swapaxes(heads, 1, 2).reshape(values.shape)


def _of_gpt2(name: str, values: np.ndarray, config: T.PreTrainedConfig) -> np.ndarray:
    return values.T if values.ndim == 2 and ".h." in name else values  # transformers keeps [in, out] there


def _of_falcon(name: str, values: np.ndarray, config: T.PreTrainedConfig) -> np.ndarray:
    """Groups of queries, a key and a value → all queries, all keys, all values."""
    if not name.endswith("query_key_value.weight"):
        return values
    n_groups = config.num_kv_heads if config.new_decoder_architecture else 1
    width, n_in = config.hidden_size // config.num_attention_heads, values.shape[1]
    groups = values.reshape(n_groups, -1, width, n_in)
    return np.concatenate([part.reshape(-1, n_in) for part in (groups[:, :-2], groups[:, -2], groups[:, -1])])


def _of_bloom(name: str, values: np.ndarray, config: T.PreTrainedConfig) -> np.ndarray:
    """Query, key and value of each head → all queries, all keys, all values."""
    if "query_key_value" not in name:
        return values
    heads = values.reshape(config.n_head, 3, -1, *values.shape[1:])
    return np.swapaxes(heads, 0, 1).reshape(values.shape)


def _of_mamba(name: str, values: np.ndarray, config: T.PreTrainedConfig) -> np.ndarray:
    if name.endswith("A_log"):
        return -np.exp(values)
    return values[:, 0] if name.endswith("conv1d.weight") else values


def _of_lfm2(name: str, values: np.ndarray, config: T.PreTrainedConfig) -> np.ndarray:
    return values[:, 0] if name.endswith("conv.conv.weight") else values


_LAYOUTS = {
    **{"llama": _of_llama, "gpt2": _of_gpt2, "falcon": _of_falcon},
    **{"bloom": _of_bloom, "mamba": _of_mamba, "lfm2": _of_lfm2},
}


def _experts(name: str, values: np.ndarray):
    """Gate and up stand one after the other in transformers, and apart in GGUF."""
    block = f"blk.{name.split('.')[2]}"
    if "gate_up_proj" in name:
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
