"""Recording watches only what is done with weights, and catches what a watch on every function catches."""

import types
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers as T
from cases import SIZES, check, encoded, record
from internal_physics.ground.errors import ArchitectureError
from internal_physics.recording.selfcheck import CheckedModel
from internal_physics.recording.watch import Watch
from internal_physics.records.trace import Trace
from torch import nn
from torch.nn import functional

SMALL = {**SIZES, "num_hidden_layers": 2, "num_key_value_heads": 2}
MIXTRAL = {**SMALL, "num_local_experts": 4, "num_experts_per_tok": 2}
PROMPTS = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 8, 40, 12, 6, 33))]


def llama() -> T.LlamaForCausalLM:
    torch.manual_seed(0)
    return T.LlamaForCausalLM(T.LlamaConfig(**SMALL)).double()


def mixtral() -> T.MixtralForCausalLM:
    torch.manual_seed(0)
    return T.MixtralForCausalLM(T.MixtralConfig(**MIXTRAL)).double()


def traces(checked: CheckedModel, *, every_function: bool | None = None, **options: object) -> dict[str, Trace]:
    coverage = checked.model.coverage
    if every_function is not None:
        coverage = replace(coverage, every_function=every_function)
    model = replace(checked.model, coverage=coverage)
    return record(model, PROMPTS, **{"attention_entropy": False, **options})


@pytest.mark.parametrize("make", [llama, mixtral])
def test_both_ways_give_the_same_record(make):
    checked = check(make())
    assert not checked.model.coverage.every_function
    for quick, slow in zip(traces(checked).values(), traces(checked, every_function=True).values(), strict=True):
        assert quick.parameters == slow.parameters
        assert set(quick.tensors) == set(slow.tensors)
        for key, tensor in quick.tensors.items():
            assert np.array_equal(tensor, slow.tensors[key]), key


@pytest.mark.parametrize("make", [llama, mixtral])
def test_only_functions_that_are_given_a_weight_are_passed_on(make, monkeypatch):
    checked, seen, run = check(make()), Counter(), Watch.run
    monkeypatch.setattr(Watch, "run", lambda watch, f, args, kw: (seen.update([f]), run(watch, f, args, kw))[1])
    trace = traces(checked, batch_size=1)["q"]
    n_quick, n_uses = seen.total(), sum(len(trace.parameter(name).uses) for name in trace.parameters)
    blocks = checked.model.anatomy.blocks(checked.model.module)
    n_plain = sum(type(module) is nn.Linear for module in blocks.modules())  # they are not passed on at all
    seen.clear()
    traces(checked, every_function=True, batch_size=1)
    # Two prompts, the other of which uses no more; an expert's matrix is taken out of its stack, and then used.
    assert n_uses <= n_quick + 2 * n_plain <= 2 * 2 * n_uses + 2 * len(trace.parameters)
    assert n_quick < 0.4 * seen.total()


def test_a_pass_leaves_weights_as_they_were_even_if_it_fails():
    checked = check(llama())
    checked.model.module.model.layers[1].mlp.forward = _fails
    with pytest.raises(ZeroDivisionError):
        traces(checked)
    assert {type(p) for p in checked.model.module.parameters()} == {nn.Parameter}
    assert not any(p.requires_grad for p in checked.model.module.parameters())


def test_slices_copies_and_members_of_a_weight_are_seen_like_the_weight():
    module = llama()
    mlp = module.model.layers[0].mlp
    mlp.forward = types.MethodType(_in_parts, mlp)
    whole, parts = traces(check(llama())), traces(check(module))
    for name, trace in whole.items():
        for matrix in trace.parameters:
            right = trace.gradient(matrix).dense()
            error = np.linalg.norm(parts[name].gradient(matrix).dense() - right)
            assert error <= 1e-12 * np.linalg.norm(right), matrix  # the same products in float64, in other parts


def test_a_weight_of_another_class_is_found_by_watching_every_function():
    module = llama()
    mlp = module.model.layers[0].mlp
    mlp.up_proj.weight = _Named(mlp.up_proj.weight.detach(), requires_grad=False)
    name = "model.layers.0.mlp.up_proj.weight"
    found, right = traces(check(module))["q"].gradient(name), traces(check(llama()))["q"].gradient(name)
    assert found.norm() == pytest.approx(right.norm(), rel=1e-12)
    assert type(mlp.up_proj.weight) is _Named


def test_a_use_of_a_weight_that_the_selfcheck_did_not_see_is_refused():
    checked = check(llama())
    mlp = checked.model.module.model.layers[0].mlp
    mlp.forward = types.MethodType(_also_sums, mlp)
    with pytest.raises(ArchitectureError, match=r"layers\.0\.mlp\.up_proj\.weight is used in a way .*: sum"):
        traces(checked)
    assert len(traces(checked, weight_gradients="none")) == len(PROMPTS)


class _Named(nn.Parameter):
    """A weight of a class of its own."""


def _fails(_hidden: torch.Tensor) -> torch.Tensor:
    raise ZeroDivisionError


def _in_parts(mlp: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    """An MLP that multiplies with slices of one weight, with a copy of another, and with the halves of a third."""
    width = mlp.gate_proj.out_features // 2
    gate = torch.cat([functional.linear(hidden, w) for w in mlp.gate_proj.weight.split(width)], dim=-1)
    up = hidden @ mlp.up_proj.weight.clone().T
    inner = mlp.act_fn(gate) * up
    first, second = (mlp.down_proj.weight[:, :width], mlp.down_proj.weight[:, width:])
    return functional.linear(inner[..., :width], first) + inner[..., width:] @ second.mT


def _also_sums(mlp: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    return mlp.down_proj(mlp.act_fn(mlp.gate_proj(hidden)) * mlp.up_proj(hidden)) * mlp.up_proj.weight.sum()
