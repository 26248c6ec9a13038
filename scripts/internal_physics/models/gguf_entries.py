"""Every entry of a GGUF header is applied, known not to change the model, or refused by its name.

transformers passes over the entries that it does not know, such as a scale of the logits: the model would run, with
wrong numbers. What it knows is not always what the class of the model reads.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig
from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

from internal_physics.ground.errors import SourceError
from internal_physics.models.gguf_header import GgufHeader

# Limits, counts that the shapes of the tensors repeat, and notes; and what gguf_config and gguf_rope apply or refuse.
_WITHOUT_EFFECT = frozenset(
    (
        "block_count",
        "context_length",
        "embedding_length",
        "pooling_type",
        "rope.dimension_count",
        "rope.freq_base",
        "rope.freq_base_swa",
        "rope.scale_linear",
        "rope.scaling.factor",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
        "rope.scaling.type",
        "tensor_data_layout",
        "vocab_size",
    )
)
# Of these, values that leave a model of transformers as it is.
_USUAL: dict[str, tuple[float | str, ...]] = {
    "attention.causal": (True,),
    "attention.clamp_kqv": (0,),
    "attention.max_alibi_bias": (0,),
    "attention.output_scale": (0, 1),
    "attention.shared_kv_layers": (0,),
    "attention.temperature_length": (0,),
    "attn_logit_softcapping": (0,),
    "embedding_scale": (0, 1),
    "expert_count": (0,),
    "expert_feed_forward_length": (0,),
    "expert_group_count": (0, 1),
    "expert_group_used_count": (0, 1),
    "expert_shared_count": (0,),
    "expert_shared_feed_forward_length": (0,),
    "expert_used_count": (0,),
    "expert_weights_scale": (0, 1),
    "final_logit_softcapping": (0,),
    "interleave_moe_layer_step": (0, 1),
    "leading_dense_block_count": (0,),
    "logit_scale": (0, 1),
    "moe_every_n_layers": (0, 1),
    "nextn_predict_layers": (0,),
    "rescale_every_n_layers": (0,),
    "residual_scale": (0, 1),
    "rope.scaling.alpha": (0, 1),
    "rope.scaling.attn_factor": (0, 1),
    "router_logit_softcapping": (0,),
    "ssm.dt_b_c_rms": (False,),
    "swin_norm": (False,),
}
_OF_ARCHITECTURE: dict[tuple[str, str], tuple[float | str, ...]] = {
    ("bloom", "attention.max_alibi_bias"): (8,),
    ("mamba", "attention.head_count"): (0,),
    ("mamba", "feed_forward_length"): (0,),
    ("qwen2moe", "expert_gating_func"): (1,),  # softmax
    ("qwen3moe", "expert_gating_func"): (1,),
    ("minimax-m2", "expert_gating_func"): (2,),  # sigmoid
    ("minimax-m2", "expert_weights_norm"): (True,),
    ("qwen2moe", "expert_shared_count"): (0, 1),
}
_ROUNDING = 1e-6  # relative, of float32


def require_known_entries(config: PreTrainedConfig, path: Path, header: GgufHeader, applied: set[str]) -> None:
    """Refuse a header with an entry of its architecture that changes the model and that nothing applies.

    Args:
        config: with everything applied.
        path: of the file.
        header: of the file.
        applied: entries of the architecture that were set in the config.

    Raises:
        SourceError: naming the first such entry and its value.
    """
    architecture = str(header.metadata.get("general.architecture"))
    read = read_by_transformers(config, architecture)
    for name in header.lists:
        entry = name.removeprefix(f"{architecture}.")
        if entry != name and entry not in applied:
            raise no_place(entry, "in a list, a value for each block", architecture, path)
    for entry, value in of_architecture(header.metadata, architecture).items():
        is_known = entry in applied or entry in read or entry in _WITHOUT_EFFECT
        if not is_known and not _is_usual(entry, value, architecture, config):
            raise no_place(entry, value, architecture, path)


def of_architecture(metadata: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """The entries of a header's architecture, without its name in front."""
    prefix = f"{architecture}."
    return {name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)}


def read_by_transformers(config: PreTrainedConfig, architecture: str) -> set[str]:
    """The entries that transformers puts where the class of the config reads them."""
    tables: Any = GGUF_CONFIG_MAPPING
    named = tables.get(architecture) or tables.get(config.model_type) or {}
    known = own_names(config)
    return {entry for entry, name in named.items() if name in known}


def own_names(config: PreTrainedConfig) -> set[str]:
    """The names that the class of a config has for its values: from a file it takes any name, and keeps it unused."""
    plain = type(config)()
    return {*plain.to_dict(), *plain.attribute_map}


def no_place(entry: str, value: object, architecture: str, path: Path) -> SourceError:
    """The refusal of an entry that the config has no place for."""
    return SourceError(
        f"its {architecture} has {entry} {value}, which transformers does not read from GGUF",
        where=str(path),
        expected="a model that transformers' config describes",
        todo="use the model's safetensors checkpoint",
    )


def _is_usual(entry: str, value: Any, architecture: str, config: PreTrainedConfig) -> bool:
    usual = _OF_ARCHITECTURE.get((architecture, entry), _USUAL.get(entry, ()))
    if value in usual:
        return True
    expected = _COMPUTED.get(entry)
    if expected is None or isinstance(value, str):
        return False
    return any(math.isclose(value, one, rel_tol=_ROUNDING) for one in expected(config) if one is not None)


def _head_width(config: PreTrainedConfig) -> float | None:
    n_heads = getattr(config, "num_attention_heads", None)
    width = getattr(config, "head_dim", None)
    return width or (config.hidden_size // n_heads if n_heads else None)


def _score_scale(config: PreTrainedConfig) -> list[float | None]:
    width = getattr(config, "query_pre_attn_scalar", None) or _head_width(config)
    return [0.0, width**-0.5 if width else None]


def _window(config: PreTrainedConfig) -> list[float | None]:
    return [0, getattr(config, "max_position_embeddings", None)]


def _period(config: PreTrainedConfig) -> float | None:
    """n, where every n-th block and no other has no window."""
    kinds = getattr(config, "layer_types", None) or []
    n = kinds.index("full_attention") + 1 if "full_attention" in kinds else 0
    same = n and all((kind == "full_attention") == ((i + 1) % n == 0) for i, kind in enumerate(kinds))
    return n if same and "sliding_attention" in kinds else None


# Entry → the values that say what the model does anyway.
_COMPUTED: dict[str, Callable[[PreTrainedConfig], list[float | None]]] = {
    "attention.scale": _score_scale,
    "attention.key_length": lambda config: [_head_width(config)],
    "attention.value_length": lambda config: [_head_width(config)],
    "attention.head_count_kv": lambda config: [getattr(config, "num_attention_heads", None)],
    "attention.sliding_window": _window,
    "attention.sliding_window_pattern": lambda config: [_period(config)],
    "expert_feed_forward_length": lambda config: [getattr(config, "intermediate_size", None)],
    "feed_forward_length": lambda config: [4 * config.hidden_size],
    "use_parallel_residual": lambda config: [getattr(config, "use_parallel_residual", None)],
}
