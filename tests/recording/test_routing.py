"""What a record says of routers: experts of each token, and scores, against the model's own products."""

import tempfile
from functools import cache

import numpy as np
import pytest
import torch
from cases import encoded, record
from families_of_models import FAMILIES_OF_MODELS, save_family
from internal_physics.models.coverage import weight_of
from internal_physics.models.loading import load_snapshot
from internal_physics.models.options import LoadOptions
from internal_physics.recording.routing import find_routers
from internal_physics.recording.selfcheck import CheckedModel, check_model

WITH_EXPERTS = [name for name in FAMILIES_OF_MODELS if name != "mamba"]
PROMPTS = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 8, 40, 12, 6, 33))]


@cache
def checked(name: str, quantization: str = "auto") -> CheckedModel:
    with tempfile.TemporaryDirectory() as folder:
        return check_model(load_snapshot(save_family(folder, name), LoadOptions(quantization=quantization)))


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
