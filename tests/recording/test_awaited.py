"""Gradients that are taken together, after the pass, are those that are taken as they arrive; wirings are kept."""

from functools import cache

import numpy as np
import pytest
import torch
from cases import SIZES, case, check, encoded, record
from internal_physics.models.loading import LoadedModel
from internal_physics.recording import recorder
from internal_physics.recording.awaited import MOST_HELD, Awaited, may_hold_all
from internal_physics.recording.recorder import RecordOptions, wiring_of
from torch import nn
from transformers import MixtralConfig, MixtralForCausalLM

PROMPTS = [encoded("p", (7, 9, 11, 13)), encoded("q", (8, 20, 8, 40, 12, 6, 33))]
MIXTRAL = {**SIZES, "num_hidden_layers": 2, "num_key_value_heads": 2, "num_local_experts": 4}


@cache
def model_of(name: str) -> LoadedModel:
    if name != "mixtral":
        return case(name).model
    torch.manual_seed(0)
    return check(MixtralForCausalLM(MixtralConfig(**MIXTRAL))).model


@pytest.mark.parametrize("name", ["llama", "gpt2", "mixtral"])
@pytest.mark.parametrize("kept", ["none", "norms", "factors"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_both_ways_give_the_same_record(name, kept, batch_size, monkeypatch):
    options = {"weight_gradients": kept, "batch_size": batch_size}
    found = []
    for together in (True, False):
        monkeypatch.setattr(recorder, "may_hold_all", lambda *_, together=together: together)
        found.append(record(model_of(name), PROMPTS, **options))
    for one, other in zip(found[0].values(), found[1].values(), strict=True):
        assert one.info == other.info
        assert set(one.tensors) == set(other.tensors)
        for key, tensor in one.tensors.items():
            assert np.array_equal(tensor, other.tensors[key], equal_nan=True), key


def test_long_passes_of_norms_hold_no_gradients():
    model = case("llama").model
    few = int(MOST_HELD / model.coverage.numbers_per_token)
    for kept, n_tokens, expected in (
        ("norms", few, True),
        ("norms", few + 2, False),
        ("factors", few + 2, True),  # they are kept anyway
        ("none", few + 2, True),
    ):
        assert may_hold_all(model, n_tokens, RecordOptions(weight_gradients=kept)) == expected, (kept, n_tokens)


@pytest.mark.parametrize("together", [True, False])
def test_each_gradient_is_taken_once_and_an_unreached_tensor_has_none(together):
    leaf, found = torch.ones(2, requires_grad=True), []
    first, second = (leaf * 3).split(1)
    unused = leaf + 1
    awaited = Awaited(together=together)
    for name, tensor in (("leaf", leaf), ("first", first), ("second", second), ("unused", unused)):
        awaited.add(tensor, lambda gradient, name: found.append((name, gradient.tolist())), name)
    awaited.backward((first * 2 + second * 5).sum())
    assert sorted(found) == [("first", [2.0]), ("leaf", [6.0, 15.0]), ("second", [5.0])]


def test_a_wiring_is_found_again_only_after_a_change():
    model, options = case("llama").model, RecordOptions()
    wiring = wiring_of(model, options)
    assert wiring_of(model, options) is wiring
    linear = wiring.plain[0].module
    before = linear.weight
    linear.weight = nn.Parameter(before.detach().clone(), requires_grad=False)
    try:
        moved = wiring_of(model, options)
        assert moved is not wiring
        assert moved.plain[0].weight.data_ptr() == linear.weight.data_ptr()
        linear.forward = linear.forward
        assert linear not in [plain.module for plain in wiring_of(model, options).plain]
    finally:
        vars(linear).pop("forward", None)
        linear.weight = before
    assert wiring_of(model, options).plain[0].module is linear
