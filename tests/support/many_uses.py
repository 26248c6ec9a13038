"""Tiny models that use their weights in many ways, and their records, shared by the tests of what is recorded."""

from functools import cache

import torch
import transformers as T
from cases import SIZES, check, encoded, record
from internal_physics.recording.selfcheck import CheckedModel
from internal_physics.records.trace import Trace
from torch import nn

SMALL = {**SIZES, "num_hidden_layers": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {**SMALL, "num_key_value_heads": 2}
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
LATENT |= {**SMALL, "num_key_value_heads": 4}
EXPERTS = {"num_experts_per_tok": 2}
ROUTED = {"n_routed_experts": 4, "n_group": 1, "topk_group": 1, "moe_intermediate_size": 16}
ROUTED |= {**EXPERTS, "first_k_dense_replace": 1}
CONFIGS = {
    "mixtral": lambda: T.MixtralConfig(**GROUPED, **EXPERTS, num_local_experts=4),
    "qwen3_moe": lambda: T.Qwen3MoeConfig(**GROUPED, **EXPERTS, num_experts=4, moe_intermediate_size=16, head_dim=8),
    "gpt_oss": lambda: T.GptOssConfig(**GROUPED, **EXPERTS, num_local_experts=4, head_dim=8),
    "olmoe": lambda: T.OlmoeConfig(**GROUPED, **EXPERTS, num_experts=4),
    "granite_moe": lambda: T.GraniteMoeConfig(**GROUPED, **EXPERTS, num_local_experts=4),
    "phi_moe": lambda: T.PhimoeConfig(**GROUPED, **EXPERTS, num_local_experts=4),
    "llama4": lambda: T.Llama4TextConfig(**GROUPED, head_dim=8, num_local_experts=4, intermediate_size_mlp=64),
    "deepseek_v2": lambda: T.DeepseekV2Config(**LATENT, **ROUTED),
    "deepseek_v3": lambda: T.DeepseekV3Config(**LATENT, **ROUTED),
    "minicpm3": lambda: T.MiniCPM3Config(**LATENT),
    "mamba": lambda: T.MambaConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2, state_size=8, time_step_rank=4),
}
# Their routers multiply in float32 in a model of any number format; autograd rounds the products, the factors do not.
FLOAT32_ROUTER = {"deepseek_v2", "deepseek_v3"}
TOLERANCE, FLOAT32_TOLERANCE = 1e-12, 2e-7
PROMPTS = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 8, 40, 12, 6, 33))]


@cache
def checked(name: str) -> CheckedModel:
    torch.manual_seed(0)
    extra = {} if name == "mamba" else {"attn_implementation": "eager"}
    module = T.AutoModelForCausalLM.from_config(CONFIGS[name](), **extra).double()
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.2)
    return check(module)


@cache
def traces(name: str, weight_gradients: str = "factors", batch_size: int = 16) -> dict[str, Trace]:
    """Both prompts in a batch, but where products in float32 of other sizes give other digits than autograd's."""
    options = {"weight_gradients": weight_gradients, "attention_entropy": name != "mamba"}
    batch_size = 1 if name in FLOAT32_ROUTER else batch_size
    return record(checked(name).model, PROMPTS, batch_size=batch_size, **options)
