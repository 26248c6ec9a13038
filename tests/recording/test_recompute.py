"""Blocks computed again: the same numbers everywhere, no unnecessary input kept, nothing left behind."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import case, record, recorded, worst_difference
from internal_physics.ground.errors import ArchitectureError
from internal_physics.recording.recompute import require_no_lookups
from internal_physics.recording.recorder import RecordOptions, model_inputs, record_batch
from internal_physics.recording.taps import Taps
from internal_physics.steering.intervention import Edit, Steering
from tiny_models import ARCHITECTURES
from tolerances import SAME_PASS

every_name = pytest.mark.parametrize("name", ARCHITECTURES)


@every_name
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weight_gradients", ["factors", "norms", "none"])
def test_recomputing_changes_no_number(name, dtype, weight_gradients):
    tiny, kept = case(name, dtype), recorded(name, dtype, weight_gradients=weight_gradients)
    again = record(tiny.model, tiny.encoded, weight_gradients=weight_gradients, recompute=True)
    assert list(again) == list(kept)
    for prompt, trace in again.items():
        worst, where = worst_difference(trace, kept[prompt])
        assert worst <= SAME_PASS, f"{where} of prompt {prompt}"
        assert trace.info == kept[prompt].info


@every_name
def test_between_the_passes_no_block_holds_an_input(name):
    model, batch = case(name).model, case(name).encoded[:2]
    taps = Taps(model.module, model.anatomy, [len(e.ids) for e in batch], recompute=True)
    with torch.enable_grad(), taps as flow:
        output = model.module(**model_inputs(model, batch, attention_entropy=False))
        inside = [call for call in flow.calls if call.map.site.startswith(f"{model.anatomy.blocks_path}.")]
        assert inside
        assert [call.map.site for call in inside if call.input is not None] == []
        output.logits.sum().backward()
    taps.verify()
    reached = [call for call in inside if call.output_gradient is not None]
    assert reached
    assert all(call.input is not None for call in reached)


@every_name
def test_nothing_is_left_behind(name):
    tiny = case(name)
    blocks = tiny.model.anatomy.blocks(tiny.module)
    before = [dict(vars(block)) for block in blocks]
    record(tiny.model, tiny.encoded, recompute=True)
    with Taps(tiny.module, tiny.model.anatomy, [3], recompute=True):
        assert all("forward" in vars(block) for block in blocks)
    assert [set(vars(block)) for block in blocks] == [set(attributes) for attributes in before]


def test_a_forward_method_set_on_a_block_is_restored():
    tiny = case("llama")
    block = tiny.model.anatomy.blocks(tiny.module)[0]
    wrapped = block.forward  # as accelerate does, which spreads a model over several devices
    block.forward = wrapped
    try:
        record(tiny.model, tiny.encoded, recompute=True)
        assert vars(block)["forward"] is wrapped
    finally:
        del block.forward


def test_with_steering_too():
    tiny = case("llama")
    steering = Steering({1: (Edit(np.linspace(-1, 1, tiny.model.anatomy.width)),)})
    kept, again = (
        record_batch(tiny.model, tiny.encoded, RecordOptions(recompute=recompute), steering)
        for recompute in (False, True)
    )
    for expected, trace in zip(kept, again, strict=True):
        assert worst_difference(trace, expected)[0] <= SAME_PASS
    plain = record_batch(tiny.model, tiny.encoded, RecordOptions())
    assert worst_difference(again[0], plain[0])[0] > 1e-3


def test_an_embedding_inside_a_block_is_refused():
    anatomy = case("gpt2").model.anatomy
    maps = tuple(replace(m, site=f"{anatomy.blocks_path}.0.position") if m.lookup else m for m in anatomy.maps)
    with pytest.raises(ArchitectureError, match=r"0\.position is an embedding inside a block"):
        require_no_lookups(replace(anatomy, maps=maps))
