"""Tiny models of the architectures that are read from GGUF; their values differ from transformers' defaults."""

import transformers as T
from gguf_of_models import N_TOKENS

SIZES = {
    **{"vocab_size": N_TOKENS, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64},
    **{"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None},
}
SMALL = {name: SIZES[name] for name in SIZES if name.endswith("_id")} | {
    **{"vocab_size": N_TOKENS, "hidden_size": 32, "num_hidden_layers": 2}
}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 8, "tie_word_embeddings": True}


def turned(base: float, **more: float) -> dict:
    return {"rope_parameters": {"rope_type": "default", "rope_theta": base, **more}}


# What transformers would take from its defaults differs from them here: bases, shares, epsilons, widths, limits.
CONFIGS = {
    "llama": lambda: T.LlamaConfig(**SIZES, head_dim=16, rms_norm_eps=1e-4, **turned(5e5), tie_word_embeddings=True),
    "qwen2": lambda: T.Qwen2Config(**SIZES, rms_norm_eps=1e-4, **turned(5e5), tie_word_embeddings=False),
    "qwen3": lambda: T.Qwen3Config(**SIZES, head_dim=16, rms_norm_eps=1e-4, **turned(5e5)),
    "qwen2moe": lambda: T.Qwen2MoeConfig(**SIZES, **EXPERTS, shared_expert_intermediate_size=40, **turned(5e5)),
    "qwen3moe": lambda: T.Qwen3MoeConfig(**SIZES, **EXPERTS, head_dim=16, norm_topk_prob=True, **turned(5e5)),
    "gemma2": lambda: T.Gemma2Config(**SIZES, **GEMMA, attn_logit_softcapping=20.0, final_logit_softcapping=40.0),
    "gemma3": lambda: T.Gemma3TextConfig(**SIZES, **GEMMA),
    "phi3": lambda: T.Phi3Config(
        **SIZES | {"pad_token_id": 0}, sliding_window=8, **turned(2e4, partial_rotary_factor=0.5)
    ),
    "stablelm": lambda: T.StableLmConfig(
        **SIZES, use_qkv_bias=True, layer_norm_eps=1e-3, **turned(2e4, partial_rotary_factor=0.5)
    ),
    "starcoder2": lambda: T.Starcoder2Config(**SIZES, norm_epsilon=1e-3, **turned(2e4), sliding_window=None),
    "nemotron": lambda: T.NemotronConfig(**SIZES, norm_eps=1e-3, **turned(2e4, partial_rotary_factor=0.25)),
    "gpt2": lambda: T.GPT2Config(
        **{"vocab_size": N_TOKENS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 96, "n_positions": 64},
        **{"bos_token_id": 0, "eos_token_id": 1, "layer_norm_epsilon": 1e-3},
    ),
    "falcon": lambda: T.FalconConfig(
        **SMALL, num_attention_heads=4, layer_norm_epsilon=1e-3, bias=False, **turned(2e4)
    ),
    "bloom": lambda: T.BloomConfig(**SMALL, n_head=4, layer_norm_epsilon=1e-3),
    "mamba": lambda: T.MambaConfig(
        **SMALL, state_size=8, conv_kernel=3, time_step_rank=4, expand=3, layer_norm_epsilon=1e-3
    ),
    "lfm2": lambda: T.Lfm2Config(
        **{**SIZES, "num_hidden_layers": 3, "layer_types": ["full_attention", "conv", "conv"], "conv_L_cache": 4},
        **{"block_auto_adjust_ff_dim": False, "norm_eps": 1e-3, **turned(5e5)},
    ),
    "minimax-m2": lambda: T.MiniMaxM2Config(
        **SIZES, num_local_experts=4, num_experts_per_tok=3, head_dim=16, rotary_dim=8, rms_norm_eps=1e-3, **turned(2e4)
    ),
}
SAME_LOGITS = 5e-6  # relative to the largest: the same sums in float32
