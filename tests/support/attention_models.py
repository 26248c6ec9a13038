"""Tiny models with attention of many kinds, their prompts and records, and the rows that they return themselves."""

from functools import cache

import numpy as np
import torch
import transformers as T
from cases import encoded, record
from internal_physics.models.loading import wrap_model
from internal_physics.recording.selfcheck import check_model
from internal_physics.records.trace import Trace
from torch import nn

SIZES = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
GROUPED = {**SIZES, "num_key_value_heads": 2, "attn_implementation": "eager"}
PROMPTS = [encoded("a", (7, 8)), encoded("b", (9, 5, 40, 12, 77, 30, 8)), encoded("c", (60, 61, 62, 9))]


def gpt_oss() -> nn.Module:
    config = T.GptOssConfig(**GROUPED, head_dim=8, num_local_experts=4, num_experts_per_tok=2, pad_token_id=0)
    return T.GptOssForCausalLM(config)


def granite_swa() -> nn.Module:
    """Its sink scales the output; the rows themselves sum to 1."""
    return T.GraniteSWAForCausalLM(T.GraniteSWAConfig(**GROUPED, pad_token_id=0))


class Handmade(T.LlamaForCausalLM):
    """A llama whose attention weights are `weights(scores)` with the causal mask already in the scores."""

    @staticmethod
    def weights(scores: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def __init__(self, config):
        super().__init__(config)
        for layer in self.model.layers:
            layer.self_attn.forward = self._attention(layer.self_attn)

    def _attention(self, own: nn.Module):
        def forward(hidden_states, attention_mask=None, **_kwargs):
            shape = (*hidden_states.shape[:-1], -1, own.head_dim)
            q, k, v = (m(hidden_states).view(shape).transpose(1, 2) for m in (own.q_proj, own.k_proj, own.v_proj))
            k, v = (x.repeat_interleave(own.num_key_value_groups, dim=1) for x in (k, v))
            p = self.weights(q @ k.transpose(2, 3) * own.scaling + attention_mask)
            return own.o_proj((p @ v).transpose(1, 2).flatten(2)), p

        return forward


class SoftmaxOffByOne(Handmade):
    """e^s / (1 + Σ e^s): a sink whose logit is 0."""

    @staticmethod
    def weights(scores):
        return torch.cat([scores, torch.zeros_like(scores[..., :1])], dim=-1).softmax(-1)[..., :-1]


class Sigmoids(Handmade):
    @staticmethod
    def weights(scores):
        return scores.sigmoid()


class Differential(Handmade):
    """The difference of two softmaxes, as in differential attention: entries below zero."""

    @staticmethod
    def weights(scores):
        return scores.softmax(-1) - 0.8 * (0.1 * scores).softmax(-1)


def qwen3_next() -> nn.Module:
    """Two blocks of linear attention around one of softmax attention."""
    kinds = ["linear_attention", "full_attention", "linear_attention"]
    linear = {"linear_num_key_heads": 2, "linear_num_value_heads": 4}
    linear |= {"linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_conv_kernel_dim": 4}
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "mlp_only_layers": [0, 1, 2]}
    return T.Qwen3NextForCausalLM(T.Qwen3NextConfig(**GROUPED, **linear, **experts, head_dim=8, layer_types=kinds))


class TwoAttentions(T.LlamaForCausalLM):
    """The middle block has two attentions of four heads, one after the other, and the model returns four tensors."""

    def __init__(self, config):
        super().__init__(config)
        block = self.model.layers[1]
        block.second = type(block.self_attn)(config, 1)
        first = block.self_attn.forward

        def forward(*args, **kwargs):
            output, rows = first(*args, **kwargs)
            return output + block.second(*args, **kwargs)[0], rows

        block.self_attn.forward = forward


BUILT = {
    "gpt_oss": gpt_oss,
    "granite_swa": granite_swa,
    "off_by_one": lambda: SoftmaxOffByOne(T.LlamaConfig(**GROUPED)),
    "sigmoids": lambda: Sigmoids(T.LlamaConfig(**GROUPED)),
    "differential": lambda: Differential(T.LlamaConfig(**GROUPED)),
    "qwen3_next": qwen3_next,
    "two_attentions": lambda: TwoAttentions(T.LlamaConfig(**GROUPED, use_cache=False)),
}
WITH_SINK = ("gpt_oss", "off_by_one")


@cache
def model_of(name: str, dtype: torch.dtype = torch.float32):
    torch.manual_seed(0)
    module = BUILT[name]().eval()
    with torch.no_grad():
        for p in module.parameters():
            p += 0.3 * torch.randn_like(p)
    model = check_model(wrap_model(module.to(dtype), None)).model
    model.labels = {"model": name, "condition": "baseline", "prompt_set": "s"}
    return model


def traces_of(name: str, batch_size: int = 16, **options) -> dict[str, Trace]:
    return record(model_of(name), PROMPTS, batch_size=batch_size, weight_gradients="none", **options)


def reported(name: str, ids) -> list[np.ndarray]:
    """The rows that the model itself returns for a prompt alone, per layer [h, t, s]."""
    with torch.no_grad():
        output = model_of(name).module(torch.tensor([ids]), output_attentions=True)
    return [a[0].double().numpy() for a in output.attentions]


def entropy(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(p > 0, p * np.log(p), 0.0).sum(axis=-1)
