"""Tiny models of the families that people run today, from explicit configs: mixtures, latent attention, hybrids."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import transformers as T
from tiny_models import N_VOCABULARY, build_tokenizer

_IDS = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
_BLOCKS = {"vocab_size": N_VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, **_IDS}
_MLP = {**_BLOCKS, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
_LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
_LINEAR = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
_ALTERNATING = ["sliding_attention", "full_attention"]
_CONFIGS: Mapping[str, Callable[[], T.PreTrainedConfig]] = {
    "mixtral": lambda: T.MixtralConfig(**_MLP, num_local_experts=4, num_experts_per_tok=2),
    "qwen3_moe": lambda: T.Qwen3MoeConfig(
        **_MLP, head_dim=8, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=16
    ),
    "gpt_oss": lambda: T.GptOssConfig(
        **_MLP, head_dim=8, num_local_experts=4, num_experts_per_tok=2, layer_types=_ALTERNATING, sliding_window=8
    ),
    "deepseek_v3": lambda: T.DeepseekV3Config(
        **{**_MLP, "num_key_value_heads": 4, **_LATENT, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1},
        **{"topk_group": 1, "moe_intermediate_size": 16, "first_k_dense_replace": 1, "n_shared_experts": 1},
    ),
    "llama4": lambda: T.Llama4TextConfig(
        **_MLP, head_dim=8, num_local_experts=4, num_experts_per_tok=1, intermediate_size_mlp=64
    ),
    "gemma4": lambda: T.Gemma4TextConfig(
        **{**_MLP, "head_dim": 8, "global_head_dim": 8, "layer_types": _ALTERNATING, "sliding_window": 8},
        **{"vocab_size_per_layer_input": N_VOCABULARY, "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 0},
        **{"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 16},
    ),
    "qwen3_next": lambda: T.Qwen3NextConfig(
        **{**_MLP, "head_dim": 8, **_LINEAR, "layer_types": ["linear_attention", "full_attention"]},
        **{"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
        shared_expert_intermediate_size=16,
    ),
    "mamba": lambda: T.MambaConfig(**_BLOCKS, state_size=8, time_step_rank=4),
}
FAMILIES_OF_MODELS = tuple(_CONFIGS)


def save_family(folder: str | Path, name: str) -> Path:
    """Save a tiny model with its tokenizer, its weights large enough that prompts differ in what they reach."""
    torch.manual_seed(FAMILIES_OF_MODELS.index(name))
    model = T.AutoModelForCausalLM.from_config(_CONFIGS[name]()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return Path(folder)
