"""Experts of a batch run together: each prompt's record is what it is alone, and what experts one by one give."""

import numpy as np
import pytest
from cases import record
from internal_physics.recording.experts import ONE_BY_ONE, TOGETHER
from internal_physics.records.trace import Trace
from many_uses import FLOAT32_ROUTER, PROMPTS, checked

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
