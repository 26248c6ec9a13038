"""Settings that few classes have, and that small configs do not reach: each against plain autograd in float64."""

import numpy as np
import pytest
import torch
import transformers as T
from cases import check, encoded, question, record
from internal_physics.models.coverage import weight_of
from oracles import loss_of, trainable
from tiny_models import N_VOCABULARY
from transformers import CONFIG_MAPPING

from benchmarks.architectures.configs import small_config

PROMPTS = [encoded("long", range(5, 14)), encoded("short", (9, 80, 7))]


def rwkv():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "rescale_every": 2}
    sizes["use_cache"] = False  # whose states are changed in place
    return T.RwkvForCausalLM(T.RwkvConfig(vocab_size=N_VOCABULARY, context_length=64, **sizes)).double().eval()


def test_rwkv_runs_with_the_weights_of_its_checkpoint_however_many_blocks_it_has():
    """transformers halves the stream every few blocks, and weights with it: no residual would be what the next gets."""
    halved, module = rwkv(), rwkv()
    stored = {name: p.detach().clone() for name, p in module.named_parameters()}
    model = check(module).model
    traces = record(model, PROMPTS, attention_entropy=False)
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, stored[name]), name
    for e in PROMPTS:
        trace = traces[e.prompt.name]
        with trainable(module):
            loss_of(module, question("causal", e)).backward()
            right = {n: p.grad.numpy().copy() for n, p in module.named_parameters() if p.grad is not None}
        assert trace.loss_nats == pytest.approx(loss_of(halved, question("causal", e)).item(), rel=1e-4)
        for matrix in trace.parameters:
            norm = np.linalg.norm(right[matrix])
            assert abs(trace.gradient_norm(matrix) - norm) <= 1e-10 * norm, matrix


def deepseek_v4():
    """Its first block sums up 128 tokens, so that the weights of that need a prompt of as many."""
    torch.manual_seed(0)
    config = small_config(CONFIG_MAPPING["deepseek_v4"], "causal")
    config.max_position_embeddings = 512
    module = T.AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float64).eval()
    module.set_experts_implementation("eager")
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return check(module).model


def test_weights_that_only_long_prompts_reach_are_recorded_for_those():
    model = deepseek_v4()
    module, late = model.module, "model.layers.0.self_attn.compressor"
    assert not [name for name in model.coverage.uncovered if name.startswith(late)]
    long = encoded("longer", [5 + 7 * i % 90 for i in range(150)])
    short = PROMPTS[0]
    traces = record(model, [long, short], attention_entropy=False)
    with trainable(module):
        loss_of(module, question("causal", long)).backward()
        right = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None and p.ndim > 1}
    recorded = {weight_of(matrix) for matrix in traces["longer"].parameters}
    assert recorded == {name for name, gradient in right.items() if gradient.any()}
    for name in (f"{late}.position_bias", f"{late}.kv_proj.weight", f"{late}.gate_proj.weight"):
        error = np.linalg.norm(traces["longer"].gradient(name).dense() - right[name].numpy())
        assert error <= 1e-6 * float(right[name].norm()), name
        assert name not in traces[short.prompt.name].parameters
