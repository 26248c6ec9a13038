"""Small configs of any transformers class: sizes by the name of a field, and what some types need besides.

A model of such a config has every kind of layer that its type has by default, and some 10,000 to 100,000 parameters.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from benchmarks.architectures.exceptions import DECODER_ASKED, EXCEPTIONS, INNER

N_VOCABULARY = 97
N_LAYERS = 2
MOST_LAYERS = 8
_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size", "word_embed_proj_dim", "lru_width")
_INNER_WIDTHS = (
    *("intermediate_size", "ffn_dim", "d_ff", "dff", "dim_ff", "d_inner", "n_inner", "hidden_dim", "ffn_hidden_size"),
    *("decoder_ffn_dim", "encoder_ffn_dim", "feed_forward_size", "prefix_dense_intermediate_size"),
    *("dense_intermediate_size", "intermediate_size_mlp", "ffn_hidden_size"),
)
_LAYERS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"),
    *("num_encoder_layers", "num_decoder_layers"),
)
_HEADS = (
    *("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads"),
    *(
        "num_encoder_attention_heads",
        "num_decoder_attention_heads",
        "swa_num_attention_heads",
        "linear_num_value_heads",
    ),
)
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
_EXPERT_WIDTHS = (
    *("moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size"),
    *("expert_ffn_hidden_size", "shared_experts_intermediate_size", "moe_shared_expert_intermediate_size"),
)
_TWO = (
    *("num_key_value_heads", "num_kv_heads", "swa_num_key_value_heads", "num_experts_per_tok", "moe_topk", "moe_k"),
    *("linear_num_key_heads", "index_n_heads", "top_k_experts", "indexer_n_heads"),
)
_ONE = ("n_group", "topk_group", "first_k_dense_replace", "n_groups", "num_dense_layers", "n_shared_experts")
_HEAD_WIDTHS = (
    *("head_dim", "d_head", "d_kv", "v_head_dim", "kv_lora_rank", "q_lora_rank", "index_head_dim", "dim_head"),
    *("linear_key_head_dim", "linear_value_head_dim", "swa_head_dim", "linear_head_dim", "qk_nope_head_dim"),
    *("mamba_d_state", "ssm_state_size", "state_size", "indexer_head_dim", "attention_head_size", "qk_rope_head_dim"),
)
SIZES: Mapping[str, int] = {
    "vocab_size": N_VOCABULARY,
    **dict.fromkeys(_WIDTHS, 32),
    **dict.fromkeys(_INNER_WIDTHS, 64),
    **dict.fromkeys(_LAYERS, N_LAYERS),
    **dict.fromkeys(_HEADS, 4),
    **dict.fromkeys(_EXPERTS, 4),
    **dict.fromkeys(_EXPERT_WIDTHS, 16),
    **dict.fromkeys(_TWO, 2),
    **dict.fromkeys(_ONE, 1),
    **dict.fromkeys(_HEAD_WIDTHS, 8),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "max_target_positions"), 64),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "time_step_rank", "rotary_dim", "num_codebooks"), 4),
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim"), 16),
    **dict.fromkeys(("chunk_size", "mamba_chunk_size", "sliding_window", "local_attention"), 8),
    "mamba_dt_rank": 4,
    "qk_head_dim": 16,
    "vocab_size_per_layer_input": N_VOCABULARY,
    "hidden_size_per_layer_input": 8,
    "num_nextn_predict_layers": 0,
    "num_mtp_layers": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "pad_token_id": 0,
}
_KINDS_OF_LAYERS = ("layer_types", "layers_block_type", "mlp_layer_types", "block_types", "indexer_types")


def small_config(cls: type[PreTrainedConfig], task: str) -> PreTrainedConfig:
    """A small config of a class, for a causal or a masked model.

    Raises:
        Exception: of any kind, where the class refuses it.
    """
    decoder = {"is_decoder": task == "causal"} if cls.model_type in DECODER_ASKED else {}
    return cls(**small_values(cls), **decoder)


def small_values(cls: type[PreTrainedConfig]) -> dict[str, Any]:
    """Arguments of a small config: sizes by name, one layer of each kind, inner configs made small too."""
    exceptions = dict(EXCEPTIONS.get(cls.model_type, {}))
    names = {field.name for field in dataclasses.fields(cls)}
    values: dict[str, Any] = {name: SIZES[name] for name in names & SIZES.keys()}
    if "kv_lora_rank" in names and "num_key_value_heads" in names:
        values["num_key_value_heads"] = SIZES["num_attention_heads"]  # latent attention has no groups
    values |= _layers(cls, names)
    for name, inner in getattr(cls, "sub_configs", {}).items():
        values[name] = _inner(inner, name)
    return {name: value for name, value in (values | exceptions).items() if value is not DEFAULT}


def _inner(cls: type, name: str) -> dict[str, Any]:
    if issubclass(cls, AutoConfig):
        return dict(INNER[name])
    return small_values(cls)


def _layers(cls: type[PreTrainedConfig], names: set[str]) -> dict[str, Any]:
    """Lists of the kinds of layers, each kind once, and their number; none where a type has no such list."""
    try:
        default = cls()
    except Exception:  # noqa: BLE001  a class that has no default config has an exception in the table
        return {}
    lists = {name: getattr(default, name, None) for name in _KINDS_OF_LAYERS if name in names}
    given = {name: list(kinds) for name, kinds in lists.items() if isinstance(kinds, list | tuple) and kinds}
    if not given:
        return {}
    longest = max(len(dict.fromkeys(kinds)) for kinds in given.values())
    n_layers = min(max(longest, N_LAYERS), MOST_LAYERS)
    values: dict[str, Any] = {name: _one_of_each(kinds, n_layers) for name, kinds in given.items()}
    return values | {name: n_layers for name in _LAYERS[:4] if name in names}


def _one_of_each(kinds: list, n_layers: int) -> list:
    """Each kind once, in the order in which they first appear; the last one again up to n_layers."""
    once = list(dict.fromkeys(kinds))
    return once + [once[-1]] * (n_layers - len(once))


DEFAULT = object()  # in the table of exceptions: leave the field as the class has it
