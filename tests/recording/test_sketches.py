"""Sketches made during a pass equal those of the exact factors, whatever the architecture, and beside exact norms."""

import internal_physics as ip
import numpy as np
import pytest
from cases import case, record
from families_of_models import save_family
from internal_physics.records.sketches import sketches
from internal_physics.records.store import read_trace, write_trace
from internal_physics.records.trace import GRADIENT_NORMS, SKETCHES

SIZE = 64
ROUNDING = 2e-6  # of a sketch's norm; sums of at most a hundred products in float32, seen: 2.2e-7
TEXTS = ["the cat sat on the mat.", "ab", "Who sat on the mat?"]


def assert_same(found, factors, tolerance=ROUNDING):
    expected, own = sketches(factors, SIZE), sketches(found)
    assert own.names == expected.names
    scale = np.linalg.norm(expected.values, axis=1, keepdims=True)
    assert np.all(np.abs(own.values - expected.values) <= tolerance * scale)
    assert own.values.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox", "bert", "gpt_neo"])  # the last gives tuples
def test_a_batch_of_prompts_equals_the_sketches_of_its_factors(name, dtype):
    tiny = case(name, dtype)
    exact, norms = (record(tiny.model, tiny.encoded, weight_gradients=kept) for kept in ("factors", "norms"))
    for batch_size in (16, 1):
        options = {"weight_gradients": "sketch", "sketch_size": SIZE, "batch_size": batch_size}
        for prompt, trace in record(tiny.model, tiny.encoded, **options).items():
            assert_same(trace, exact[prompt])
            for weight in trace.parameters:
                # alone, a norm is summed in another order
                assert trace.gradient_norm(weight) == pytest.approx(norms[prompt].gradient_norm(weight), rel=1e-6)


@pytest.mark.parametrize("name", ["mixtral", "mamba"])
def test_experts_and_gradients_that_are_kept_whole(tmp_path, name):
    model = ip.load(str(save_family(tmp_path, name)))
    exact, found = (ip.record(model, TEXTS, weight_gradients=kept, sketch_size=SIZE) for kept in ("factors", "sketch"))
    for trace, right in zip(found, exact, strict=True):
        assert_same(trace, right)
        for weight in trace.parameters:
            assert trace.gradient_norm(weight) == pytest.approx(right.gradient_norm(weight), rel=1e-5, abs=1e-12)
    if name == "mixtral":
        idle = [p for trace in found for p in trace.info.parameters if not p.uses]
        assert idle
        assert all(p.name not in sketches(t).names for t in found for p in t.info.parameters if not p.uses)


def test_blocks_that_are_computed_again_give_the_same():
    tiny = case("llama")
    exact = record(tiny.model, tiny.encoded)
    again = record(tiny.model, tiny.encoded, weight_gradients="sketch", sketch_size=SIZE, recompute=True)
    for prompt, trace in again.items():
        assert_same(trace, exact[prompt])


def test_a_record_keeps_two_arrays_for_all_weights(tmp_path):
    tiny = case("gpt2")
    trace = next(iter(record(tiny.model, tiny.encoded, weight_gradients="sketch", sketch_size=SIZE).values()))
    write_trace(trace, tmp_path / "p.parquet")
    back = read_trace(tmp_path / "p.parquet")
    n_weights = len(back.parameters)
    assert back.tensors[SKETCHES].shape == (n_weights, SIZE)
    assert back.tensors[GRADIENT_NORMS].shape == (n_weights,)
    name = back.parameters[0]
    assert back.gradient_norm(name) == np.float32(trace.gradient_norm(name))  # a file has the numbers of its model
    assert (back.info.sketch_size, back.info.sketch_seed) == (SIZE, 0)
    assert not [key for key in back.tensors if key.quantity in ("input", "output_gradient", "gradient_norm")]


def test_another_seed_gives_other_sketches():
    tiny = case("gpt2")
    one, other = (
        record(tiny.model, tiny.encoded[:1], weight_gradients="sketch", sketch_size=SIZE, sketch_seed=seed)
        for seed in (0, 1)
    )
    pair = [sketches(next(iter(of.values()))).values for of in (one, other)]
    assert np.abs(pair[0] - pair[1]).max() > 0.1 * np.abs(pair[0]).max()
