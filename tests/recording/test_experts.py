"""Experts of a batch run together: each prompt's record is what it is alone, and what experts one by one give."""

import types

import numpy as np
import pytest
import torch
import transformers as T
from cases import check, encoded, record
from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import LinearMap
from internal_physics.recording import experts
from internal_physics.recording.experts import ONE_BY_ONE, TOGETHER
from internal_physics.recording.packing import Packing
from internal_physics.recording.recorder import RecordOptions, record_batch, wiring_of
from internal_physics.recording.stack_norms import stack_squared
from internal_physics.recording.stacks import RoutedRows, Stack, StackCall
from internal_physics.records.trace import Trace
from many_uses import EXPERTS, FLOAT32_ROUTER, GROUPED, PROMPTS, checked
from torch import nn

WITH_EXPERTS = ("mixtral", "qwen3_moe", "gpt_oss", "olmoe", "granite_moe", "phi_moe", "deepseek_v2", "deepseek_v3")
every_name = pytest.mark.parametrize("name", WITH_EXPERTS)


def implementation(name: str) -> str:
    return checked(name).model.module.config._experts_implementation


def one_by_one(name: str, **options: object) -> dict[str, Trace]:
    """Both prompts, each alone, with their experts one by one, as transformers has them."""
    module = checked(name).model.module
    module.set_experts_implementation(ONE_BY_ONE)
    try:
        return record(checked(name).model, PROMPTS, batch_size=1, **options)
    finally:
        module.set_experts_implementation(TOGETHER)


def is_same(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    return one.shape == other.shape and np.abs(one - other).max(initial=0) <= tolerance * np.abs(other).max(initial=0)


@every_name
def test_experts_run_together(name):
    assert implementation(name) == TOGETHER
    assert not checked(name).model.coverage.alone


@every_name
@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("weight_gradients", ["factors", "norms"])
def test_a_record_is_that_of_experts_one_by_one(name, batch_size, weight_gradients):
    options = {"weight_gradients": weight_gradients, "attention_entropy": False}
    found = record(checked(name).model, PROMPTS, batch_size=batch_size, **options)
    tolerance = 1e-5 if name in FLOAT32_ROUTER else 1e-11  # rounding of products of other sizes; seen 2e-13
    for prompt, right in one_by_one(name, **options).items():
        assert found[prompt].parameters == right.parameters
        assert [found[prompt].parameter(m).uses == right.parameter(m).uses for m in right.parameters]
        assert set(found[prompt].tensors) == set(right.tensors)
        for key, tensor in right.tensors.items():
            assert is_same(found[prompt].tensors[key], tensor, tolerance), key


@pytest.mark.parametrize("name", ["mixtral", "gpt_oss"])
def test_blocks_that_are_computed_again_run_their_experts_one_by_one(name):
    """Of gpt-oss, biases are kept whole; those of blocks that are computed again too."""
    options = {"weight_gradients": "norms", "attention_entropy": False, "recompute": True}
    found, right = record(checked(name).model, PROMPTS, **options), one_by_one(name, **options)
    for prompt, trace in right.items():
        for matrix in trace.parameters:
            assert found[prompt].gradient_norm(matrix) == pytest.approx(trace.gradient_norm(matrix), rel=1e-11)


def test_no_gradients_of_weights_are_needed_to_run_together():
    model = checked("mixtral").model
    together = record_batch(model, PROMPTS, RecordOptions(weight_gradients="none", attention_entropy=False))
    right = one_by_one("mixtral", weight_gradients="none", attention_entropy=False)
    assert [t.loss_nats for t in together] == pytest.approx(
        [right[t.info.prompt].loss_nats for t in together], rel=1e-12
    )


def mixtral() -> nn.Module:
    torch.manual_seed(0)
    return T.MixtralForCausalLM(T.MixtralConfig(**GROUPED, **EXPERTS, num_local_experts=4)).double()


def of_width(intermediate_size: int) -> nn.Module:
    torch.manual_seed(0)
    sizes = GROUPED | {"intermediate_size": intermediate_size}
    return T.MixtralForCausalLM(T.MixtralConfig(**sizes | EXPERTS, num_local_experts=4))


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("weight_gradients", ["factors", "norms"])
def test_products_of_all_experts_in_one_step_are_those_one_after_the_other(batch_size, weight_gradients, monkeypatch):
    options = {"weight_gradients": weight_gradients, "attention_entropy": False, "batch_size": batch_size}
    model = check(of_width(16)).model
    assert all(own.up.whole is not None for own in wiring_of(model, RecordOptions(**options)).experts)
    found = record(model, PROMPTS, **options)
    monkeypatch.setattr(experts, "_in_one_step", lambda weight: False)
    model = check(of_width(16)).model
    assert all(own.up.whole is None for own in wiring_of(model, RecordOptions(**options)).experts)
    for prompt, right in record(model, PROMPTS, **options).items():
        assert set(found[prompt].tensors) == set(right.tensors)
        assert all(np.array_equal(found[prompt].tensors[key], tensor) for key, tensor in right.tensors.items())


def test_experts_whose_rows_torch_cannot_take_in_one_step_multiply_one_after_the_other():
    model = check(of_width(18)).model
    own = wiring_of(model, RecordOptions()).experts[0]
    assert own.down.whole is None
    assert model.module.config._experts_implementation == TOGETHER
    assert len(record(model, PROMPTS, attention_entropy=False)) == len(PROMPTS)


def test_experts_that_differ_from_those_one_by_one_stay_one_by_one(monkeypatch):
    monkeypatch.setattr(RoutedRows, "spread", lambda rows, hidden: 1.001 * hidden.repeat(2, 1)[rows.order])
    model = check(mixtral()).model
    assert model.module.config._experts_implementation == ONE_BY_ONE
    assert model.coverage.alone


def test_a_stack_that_is_used_twice_stays_one_by_one():
    """Its norm would need the products of both uses."""
    module = mixtral()
    module.model.layers[1].mlp.experts = module.model.layers[0].mlp.experts
    model = check(module).model
    assert model.module.config._experts_implementation == ONE_BY_ONE


def test_experts_that_get_tokens_in_another_order_run_alone():
    """There are as many rows as tokens, and each would be credited to the wrong prompt."""
    module = mixtral()
    mlp = module.model.layers[0].mlp
    mlp.forward = types.MethodType(_last_token_first, mlp)
    model = check(module).model
    assert model.coverage.alone
    same_length = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 40, 12))]
    with pytest.raises(ArchitectureError, match=r"layers\.0\.mlp\.experts\..* mixes the tokens"):
        record_batch(model, same_length, RecordOptions(attention_entropy=False))


def _last_token_first(mlp: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    flat = hidden.reshape(-1, hidden.shape[-1])
    order = torch.arange(len(flat) - 1, -1, -1)
    rows = flat[order]
    _, weights, chosen = mlp.gate(rows)
    return mlp.experts(rows, chosen, weights)[order].view_as(hidden)


def routed(lengths: list[int], n_experts: int, n_choices: int) -> RoutedRows:
    torch.manual_seed(0)
    chosen = torch.rand(sum(lengths), n_experts).topk(n_choices).indices
    return RoutedRows(chosen, Packing(lengths, max(lengths)), n_experts)


def test_rows_are_sorted_by_expert_and_prompt_and_come_back_to_their_tokens():
    lengths = [3, 5, 2]
    rows = routed(lengths, n_experts=4, n_choices=2)
    tokens = torch.arange(10.0)[:, None]
    spread = rows.spread(tokens)[:, 0]
    prompt_of = torch.tensor([0] * 3 + [1] * 5 + [2] * 2)
    for b in range(3):
        for e, first, end in rows.of_prompt(b):
            assert end - first == rows.counts[e, b]
            assert (prompt_of[spread[first:end].long()] == b).all()
    assert rows.counts.sum(axis=0).tolist() == [2 * n for n in lengths]
    assert torch.equal(rows.gather(rows.spread(tokens)), 2 * tokens)


def test_an_expert_that_does_not_exist_is_refused():
    with pytest.raises(ArchitectureError, match="an expert beyond the 4"):
        RoutedRows(torch.tensor([[0, 4]]), Packing([1], 1), 4)


SIZES_OF_NORMS = {  # lengths of prompts, features in and out
    "one block": ([6, 9], 24, 40),
    "several blocks": ([30, 41, 2, 17], 300, 200),
    "more rows than columns": ([50, 70], 6, 5),
}


@pytest.mark.parametrize("products", [torch.float64, torch.float32])
@pytest.mark.parametrize("sizes", SIZES_OF_NORMS)
def test_norms_of_a_stack_are_those_of_its_whole_gradients(sizes, products):
    lengths, n_in, n_out = SIZES_OF_NORMS[sizes]
    rows = routed(lengths, n_experts=6, n_choices=2)
    maps = tuple(LinearMap(f"m[{e}]", f"m[{e}]", 0, False, False, (n_out, n_in)) for e in range(6))
    given, gradient = torch.randn(2 * sum(lengths), n_in), torch.randn(2 * sum(lengths), n_out)
    call = StackCall(Stack("m", maps, ()), rows, given, gradient)
    found = stack_squared(call, products)
    assert found.shape == (6, 2, len(lengths))
    for b in range(len(lengths)):
        used = {e: (first, end) for e, first, end in rows.of_prompt(b)}
        for e in range(6):
            first, end = used.get(e, (0, 0))
            right = float((gradient[first:end].double().T @ given[first:end].double()).square().sum())
            rounding = 1e-12 if products == torch.float64 else 2e-6
            assert float(found[e, 0, b]) == pytest.approx(right, rel=rounding, abs=0)
            assert float(found[e, 1, b]) >= float(found[e, 0, b]) * (1 - rounding)
