"""What a record says of routers: experts of each token, and scores, against the model's own products."""

import logging
import tempfile
from functools import cache

import numpy as np
import pytest
import torch
import transformers as T
from cases import encoded, record
from families_of_models import FAMILIES_OF_MODELS, save_family
from internal_physics.models.coverage import weight_of
from internal_physics.models.kinds import kind_of
from internal_physics.models.loading import load_snapshot, wrap_model
from internal_physics.models.options import LoadOptions
from internal_physics.recording.routing import find_routers, unrouted
from internal_physics.recording.selfcheck import CheckedModel, check_model
from tiny_models import N_VOCABULARY, build_tokenizer
from transformers import CONFIG_MAPPING

from benchmarks.architectures.configs import small_config

_BLOCKS = {"vocab_size": N_VOCABULARY, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
_EXPERTS = {"intermediate_size": 64, "num_experts_per_tok": 2}
# Experts one below the other in one matrix; experts that are called so only in the attention; a router of another name.
UNUSUAL = {
    "dbrx": lambda: T.DbrxConfig(
        **{**_BLOCKS, "d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64},
        attn_config={"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8.0},
        ffn_config={"ffn_hidden_size": 16, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": 32},
    ),
    "jetmoe": lambda: T.JetMoeConfig(**_BLOCKS, **_SIZES, **_EXPERTS, kv_channels=8, num_local_experts=4),
    "hunyuan": lambda: T.HunYuanMoEV1Config(
        **{**_BLOCKS, **_SIZES, "head_dim": 8, "intermediate_size": 64, "num_experts": 4, "moe_topk": 2}
    ),
}
SITES = {
    "dbrx": {"ffn.experts"},
    "jetmoe": {"mlp", "self_attention.experts"},
    "hunyuan": {"mlp.experts"},
}
WITH_EXPERTS = [name for name in FAMILIES_OF_MODELS if name != "mamba"]
PROMPTS = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 8, 40, 12, 6, 33))]


@cache
def checked(name: str, quantization: str = "auto") -> CheckedModel:
    with tempfile.TemporaryDirectory() as folder:
        return check_model(load_snapshot(save_family(folder, name), LoadOptions(quantization=quantization)))


@cache
def unusual(name: str) -> CheckedModel:
    torch.manual_seed(0)
    module = T.AutoModelForCausalLM.from_config(UNUSUAL[name]()).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return check_model(wrap_model(module, build_tokenizer()))


def of(trace, quantity):
    return {key.site: trace.tensors[key] for key in trace.tensors if key.quantity == quantity}


@pytest.mark.parametrize("name", WITH_EXPERTS)
def test_an_expert_has_as_many_rows_of_factors_as_tokens_that_chose_it(name):
    for trace in record(checked(name).model, PROMPTS).values():
        for site, chosen in of(trace, "expert_ids").items():
            assert len(chosen) == trace.n_tokens
            for matrix in [m for m in trace.parameters if weight_of(m) == f"{site}.down_proj"]:
                expert = int(matrix.rstrip("]").split("[")[1])
                rows = sum(int(np.any(t.input != 0, axis=1).sum()) for t in trace.gradient(matrix).terms)
                assert rows == (chosen == expert).sum(), matrix


@pytest.mark.parametrize("name", WITH_EXPERTS)
def test_the_scores_are_the_routers_product_with_what_it_was_given(name):
    model = checked(name).model
    routers = list(find_routers(model.module, model.anatomy))
    weights = dict(model.module.named_parameters())
    for trace in record(model, PROMPTS).values():
        assert set(of(trace, "router_logits")) == {r.site for r in routers}
        for router in routers:
            given = trace.gradient(router.weight).terms[0].input
            scores = given.astype(np.float64) @ weights[router.weight].detach().double().numpy().T
            found = trace.tensor(router.site, router.layer, "router_logits")
            bias = found - scores  # gpt-oss adds one number per expert
            np.testing.assert_allclose(bias, np.broadcast_to(bias[:1], bias.shape), atol=1e-4 * np.abs(scores).max())


@pytest.mark.parametrize("name", UNUSUAL)
def test_routers_are_found_beside_experts_however_those_are_kept(name):
    model = unusual(name).model
    routers = list(find_routers(model.module, model.anatomy))
    assert {router.site.partition(f".{router.layer}.")[2] for router in routers} == SITES[name]
    assert len(routers) == 2 * len(SITES[name])
    weights = dict(model.module.named_parameters())
    for trace in record(model, PROMPTS).values():
        for router in routers:
            given = torch.tensor(trace.gradient(router.weight).terms[0].input).double()
            scores = given @ weights[router.weight].detach().double().T
            np.testing.assert_allclose(trace.tensor(router.site, router.layer, "router_logits"), scores, atol=1e-4)
            chosen = np.sort(trace.tensor(router.site, router.layer, "expert_ids"), axis=1)
            np.testing.assert_array_equal(chosen, np.sort(scores.topk(2, dim=-1).indices, axis=1))


def test_experts_that_are_not_called_so_have_as_many_rows_as_tokens_chose_them():
    for trace in record(unusual("jetmoe").model, PROMPTS).values():
        for layer in range(2):
            chosen = trace.tensor(f"model.layers.{layer}.mlp", layer, "expert_ids")
            for expert in np.unique(chosen):
                terms = trace.gradient(f"model.layers.{layer}.mlp.output_linear.weight[{expert}]").terms
                rows = sum(int(np.any(term.input != 0, axis=1).sum()) for term in terms)
                assert rows == (chosen == expert).sum()


def test_routing_does_not_depend_on_the_batch_or_on_what_is_kept_of_gradients():
    model = checked("mixtral").model
    alone = record(model, PROMPTS)
    together = record(model, PROMPTS, weight_gradients="none")
    for prompt, trace in alone.items():
        for site, chosen in of(trace, "expert_ids").items():
            np.testing.assert_array_equal(of(together[prompt], "expert_ids")[site], chosen)
            mine, other = (of(t, "router_logits")[site] for t in (trace, together[prompt]))
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_a_quantised_router_is_seen_too():
    trace = record(checked("gemma4", "nf4").model, PROMPTS)["p"]
    assert len(of(trace, "router_logits")) == len(of(trace, "expert_ids")) == 2


def test_a_model_without_experts_has_no_routers():
    model = checked("mamba").model
    assert list(find_routers(model.module, model.anatomy)) == []
    assert of(record(model, PROMPTS, attention_entropy=False)["p"], "router_logits") == {}
    assert torch.is_grad_enabled()


def small(model_type: str) -> CheckedModel:
    torch.manual_seed(0)
    config = small_config(CONFIG_MAPPING[model_type], "causal")
    module = T.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return check_model(wrap_model(module, None))


def test_a_router_that_scores_shared_experts_too_has_the_scores_of_the_others():
    model = small("inkling_text").model
    module, weights = model.module, dict(model.module.named_parameters())
    n_experts, n_shared = module.config.n_routed_experts, module.config.n_shared_experts
    assert n_shared > 0
    routers = list(find_routers(module, model.anatomy))
    assert [router.site for router in routers] == [f"model.layers.{layer}.mlp.experts" for layer in range(2)]
    assert unrouted(module, model.anatomy) == []
    for trace in record(model, PROMPTS).values():
        for router in routers:
            given = torch.tensor(trace.gradient(router.weight).terms[0].input)
            scores = (given.double() @ weights[router.weight].double().T)[:, :n_experts]
            found = trace.tensor(router.site, router.layer, "router_logits")
            np.testing.assert_allclose(found, scores.detach(), atol=1e-4)
            chosen = np.sort(trace.tensor(router.site, router.layer, "expert_ids"), axis=1)
            np.testing.assert_array_equal(chosen, np.sort(scores.topk(chosen.shape[1], dim=-1).indices, axis=1))


def test_experts_whose_router_is_not_found_are_named(caplog):
    """Zaya's router may skip the experts; what it gives them does not say so."""
    with caplog.at_level(logging.WARNING, logger="internal_physics"):
        model = small("zaya").model
    assert unrouted(model.module, model.anatomy) == [f"model.layers.{layer}.mlp.experts" for layer in range(2)]
    assert "no routing is recorded of model.layers.*.mlp.experts (2)" in caplog.text
    trace = record(model, PROMPTS)["p"]
    assert of(trace, "expert_ids") == {}
    kinds = {kind_of(n, layer=0, n_layers=2, lookup=False) for n in trace.parameters if ".0.mlp.gate." in n}
    assert kinds == {"router"}
