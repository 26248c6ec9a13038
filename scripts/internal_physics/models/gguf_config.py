"""What the header of a GGUF file says of its model, set in the config: transformers reads only a part of it.

A StarCoder 2 would turn its tokens by another base, a StableLM another share of each head, without a word. What a
config has no entry for is refused.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from internal_physics.ground.errors import SourceError
from internal_physics.models.gguf_header import GgufHeader

# Entry of the header → what configs call it; the first name that a config has is set.
_ENTRIES = {
    "context_length": ("max_position_embeddings",),
    "feed_forward_length": ("intermediate_size", "n_inner"),
    "attention.head_count_kv": ("num_key_value_heads", "num_kv_heads"),
    "attention.key_length": ("global_head_dim", "head_dim"),
    "attention.key_length_swa": ("head_dim",),
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "layer_norm_epsilon"),
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
# Without them in the config the model is another one, unless the value says that there is none of its kind.
_NEEDED = ("attn_logit_softcapping", "final_logit_softcapping", "expert_count", "expert_used_count")
_BASES = {"rope.freq_base": "full_attention", "rope.freq_base_swa": "sliding_attention"}
# Gemma divides scores by the root of a head's width; these two by that of d / heads, and their files do not say so.
_SCALED_BY_WIDTH = (("gemma2", 46), ("gemma3", 62))  # architecture, blocks: the models of 27 billion weights


def set_from_header(config: PreTrainedConfig, path: Path, header: GgufHeader) -> None:
    """Set in a config, in place, what the header says of the same model.

    Raises:
        SourceError: for an entry that changes the model and that the config has no place for, such as experts in a
            LLaMA (Mixtral's files).
    """
    architecture = str(header.metadata.get("general.architecture"))
    for entry, value in _of_architecture(header, architecture):
        name = next((name for name in _ENTRIES.get(entry, ()) if hasattr(config, name)), None)
        if name is not None:
            setattr(config, name, type(value)(value))
        elif entry in _NEEDED and value:
            raise _no_place(entry, value, architecture, path)
    _set_rotation(config, path, header, architecture)
    if hasattr(config, "query_pre_attn_scalar"):
        by_width = (architecture, config.num_hidden_layers) in _SCALED_BY_WIDTH
        config.query_pre_attn_scalar = (
            config.hidden_size // config.num_attention_heads if by_width else _head_width(config)
        )
    pad = getattr(config, "pad_token_id", None)
    if isinstance(pad, int) and pad >= config.vocab_size:  # of the class, not of the file
        config.pad_token_id = None


def _of_architecture(header: GgufHeader, architecture: str) -> Iterator[tuple[str, Any]]:
    prefix = f"{architecture}."
    for name, value in header.metadata.items():
        if name.startswith(prefix) and not isinstance(value, str):
            yield name.removeprefix(prefix), value


def _set_rotation(config: PreTrainedConfig, path: Path, header: GgufHeader, architecture: str) -> None:
    """The base of the frequencies, and how much of each head is turned."""
    rope: Any = getattr(config, "rope_parameters", None)
    if not isinstance(rope, dict):
        return
    kinds = {kind for kind, of_kind in rope.items() if isinstance(of_kind, dict)}
    for entry, kind in _BASES.items():
        base = header.metadata.get(f"{architecture}.{entry}")
        if base is not None and (kind in kinds or (not kinds and kind == "full_attention")):
            (rope[kind] if kinds else rope)["rope_theta"] = base
    n_turned = header.metadata.get(f"{architecture}.rope.dimension_count")
    if n_turned is None or kinds or hasattr(config, "rotary_dim"):
        return
    share = n_turned / _head_width(config)
    if "partial_rotary_factor" in rope:
        rope["partial_rotary_factor"] = share
    elif not math.isclose(share, 1):
        raise _no_place("rope.dimension_count", n_turned, architecture, path)


def _head_width(config: PreTrainedConfig) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _no_place(entry: str, value: object, architecture: str, path: Path) -> SourceError:
    return SourceError(
        f"its {architecture} has {entry} {value}, which transformers does not read from GGUF",
        where=str(path),
        expected="a model that transformers' config describes",
        todo="use the model's safetensors checkpoint",
    )
