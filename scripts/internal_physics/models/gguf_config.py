"""What the header of a GGUF file says of its model, set in the config: transformers reads only a part of it.

A StarCoder 2 would turn its tokens by another base, a StableLM another share of each head, without a word. What a
config has no entry for is refused.
"""

import math
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from internal_physics.models.gguf_entries import no_place, of_architecture, own_names, require_known_entries
from internal_physics.models.gguf_header import GgufHeader
from internal_physics.models.gguf_once import open_gguf

# Entry of the header → what configs call it; the first name that the config's class has is set.
_ENTRIES = {
    "context_length": ("max_position_embeddings",),
    "feed_forward_length": ("intermediate_size", "n_inner", "ffn_hidden_size"),
    "attention.head_count_kv": ("num_key_value_heads", "num_kv_heads"),
    "attention.key_length": ("global_head_dim", "head_dim"),
    "attention.key_length_swa": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "layer_norm_epsilon", "norm_eps"),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "norm_epsilon", "layer_norm_epsilon", "norm_eps"),
    "attention.sliding_window": ("sliding_window",),
    "rope.dimension_count": ("rotary_dim",),
    "attn_logit_softcapping": ("attn_logit_softcapping",),
    "final_logit_softcapping": ("final_logit_softcapping",),
    "expert_count": ("num_experts", "num_local_experts", "n_routed_experts"),
    "expert_used_count": ("num_experts_per_tok",),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "expert_shared_feed_forward_length": ("shared_expert_intermediate_size",),
    "expert_weights_norm": ("norm_topk_prob",),
}
_BASES = {"rope.freq_base": "full_attention", "rope.freq_base_swa": "sliding_attention"}
_PATTERN = "attention.sliding_window_pattern"
_READ_IN_LISTS = {"lfm2": {"attention.head_count_kv"}}  # architecture → lists that transformers reads
# Gemma divides scores by the root of a head's width; these two by that of d / heads, and their files do not say so.
_SCALED_BY_WIDTH = (("gemma2", 46), ("gemma3", 62))  # architecture, blocks: the models of 27 billion weights


def set_from_header(config: PreTrainedConfig, path: Path, header: GgufHeader) -> None:
    """Set in a config, in place, what the header says of the same model.

    Raises:
        SourceError: for an entry that changes the model and that the config has no place for, such as experts in a
            LLaMA (Mixtral's files).
    """
    architecture = str(header.metadata.get("general.architecture"))
    applied = set(_READ_IN_LISTS.get(architecture, ()))
    known = own_names(config)
    for entry, value in of_architecture(header.metadata, architecture).items():
        name = next((name for name in _ENTRIES.get(entry, ()) if name in known), None)
        if name is not None and not isinstance(value, str) and not _has_no_effect(entry, value, config):
            setattr(config, name, type(value)(value))
            applied.add(entry)
    _refuse_groups(config, path, architecture)
    _set_kinds_of_blocks(config, path, header, architecture, applied)
    _set_rotation(config, path, header, architecture)
    if hasattr(config, "query_pre_attn_scalar"):
        by_width = (architecture, config.num_hidden_layers) in _SCALED_BY_WIDTH
        config.query_pre_attn_scalar = (
            config.hidden_size // config.num_attention_heads if by_width else _head_width(config)
        )
    pad = getattr(config, "pad_token_id", None)
    if isinstance(pad, int) and pad >= config.vocab_size:  # of the class, not of the file
        config.pad_token_id = None
    require_known_entries(config, path, header, applied)


def _has_no_effect(entry: str, value: float, config: PreTrainedConfig) -> bool:
    """Whether an entry says nothing: a Mamba has no MLP, and Qwen's configs keep a window that no block has."""
    if entry == "feed_forward_length":
        return value == 0
    kinds: list[str] = getattr(config, "layer_types", None) or []
    return entry == "attention.sliding_window" and bool(kinds) and "sliding_attention" not in kinds


def _refuse_groups(config: PreTrainedConfig, path: Path, architecture: str) -> None:
    """Refuse a Falcon of 40 billion weights or more: its files hold queries, keys and values in an order of their own,
    which transformers does not undo.
    """
    if architecture == "falcon" and config.num_kv_heads != 1:
        raise no_place("attention.head_count_kv", config.num_kv_heads, architecture, path)


def _set_kinds_of_blocks(
    config: PreTrainedConfig, path: Path, header: GgufHeader, architecture: str, applied: set[str]
) -> None:
    """Which blocks have a window, where the header lists it and the architecture has such blocks."""
    name = f"{architecture}.{_PATTERN}"
    kinds: list[str] = getattr(config, "layer_types", None) or []
    if name not in header.lists or "sliding_attention" not in kinds:
        return
    slides = open_gguf(path).fields[name].contents()
    if len(slides) != config.num_hidden_layers:
        raise no_place(_PATTERN, f"of {len(slides)} blocks", architecture, path)
    config.layer_types = ["sliding_attention" if slide else "full_attention" for slide in slides]
    applied.add(_PATTERN)


def _set_rotation(config: PreTrainedConfig, path: Path, header: GgufHeader, architecture: str) -> None:
    """The base of the frequencies, and how much of each head is turned."""
    rope: Any = getattr(config, "rope_parameters", None)
    found = {entry: header.metadata.get(f"{architecture}.{entry}") for entry in (*_BASES, "rope.dimension_count")}
    if not isinstance(rope, dict):
        for entry, value in found.items():
            if value:
                raise no_place(entry, value, architecture, path)
        return
    kinds = {kind for kind, of_kind in rope.items() if isinstance(of_kind, dict)}
    for entry, kind in _BASES.items():
        base = found[entry]
        if base is not None and (kind in kinds or (not kinds and kind == "full_attention")):
            (rope[kind] if kinds else rope)["rope_theta"] = base
        elif base not in (None, found["rope.freq_base"]):
            raise no_place(entry, base, architecture, path)
    n_turned = found["rope.dimension_count"]
    if n_turned is None or hasattr(config, "rotary_dim"):
        return
    share = n_turned / _head_width(config)
    if "partial_rotary_factor" in rope:
        rope["partial_rotary_factor"] = share
    elif not math.isclose(share, 1):
        raise no_place("rope.dimension_count", n_turned, architecture, path)


def _head_width(config: PreTrainedConfig) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
