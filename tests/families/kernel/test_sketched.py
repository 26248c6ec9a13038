"""The kernel from sketches: within its stated error of the exact one, whatever the blocks; exact where it says so."""

from dataclasses import replace

import numpy as np
import pytest
from cases import case, record
from hand_traces import make_trace
from internal_physics.families.kernel import from_records
from internal_physics.families.kernel.parts import TOTAL
from internal_physics.families.kernel.sketched import estimate, sketched_kernel
from internal_physics.families.kernel.tangent_kernel import tangent_kernel
from internal_physics.ground.errors import StoreError
from internal_physics.records.sketches import sketch_of
from internal_physics.records.store import write_trace
from internal_physics.records.trace import Trace

SIZE, N_SEEDS = 64, 120
ROUNDING = 1e-6  # of the diagonal: sketches are stored in float32


@pytest.fixture(scope="module")
def kept():
    tiny = case("llama")
    factors = list(record(tiny.model, tiny.encoded).values())
    sketched = list(record(tiny.model, tiny.encoded, weight_gradients="sketch", sketch_size=SIZE).values())
    return factors, sketched


def test_two_standard_errors_hold_95_percent_of_the_errors_over_seeds():
    """16 groups know their spread to 18 %: of Student's t with 15 degrees of freedom, 93.6 % are within 2."""
    tiny = case("llama")
    traces = list(record(tiny.model, tiny.encoded).values())
    infos = [p for p in traces[0].info.parameters if "proj" in p.name][:8]
    gradients = [[trace.gradient(p.name) for p in infos] for trace in traces]
    exact = np.array([[sum(a.dot(b) for a, b in zip(p, q, strict=True)) for q in gradients] for p in gradients])
    pairs = np.triu_indices(len(traces), 1)
    within, ratios = [], []
    for seed in range(N_SEEDS):
        values = [[sketch_of(g, info, SIZE, seed) for g, info in zip(of, infos, strict=True)] for of in gradients]
        rows = np.array(values, dtype=np.float32)
        found, error = estimate(rows, rows, np.zeros(len(infos), bool))
        within.append(np.abs(found - exact)[pairs] <= 2 * error[pairs])
        ratios.append(((found - exact) / error)[pairs])
    # the 10 pairs share projections: between 120 and 1200 independent trials, of which 120 have an error of 2.2 %
    assert np.mean(within) == pytest.approx(0.936, abs=0.045)
    # unbiased, and of unit spread: t with 15 degrees of freedom has 15 / 13 of variance
    assert abs(np.mean(ratios)) < 0.35
    assert np.var(ratios) == pytest.approx(15 / 13, rel=0.35)


def test_the_kernel_of_a_record_agrees_with_the_exact_one(kept):
    factors, sketched = kept
    exact, found = tangent_kernel(factors), sketched_kernel(sketched)
    assert found.source == "sketch"
    assert found.prompts == exact.prompts
    assert set(found.cells) == set(exact.cells)
    error = found.standard_error()
    off = ~np.eye(len(factors), dtype=bool)
    assert np.all(error[off] > 0)
    assert np.all(np.abs(found.matrix() - exact.matrix())[off] <= 5 * error[off])
    np.testing.assert_allclose(np.diagonal(found.matrix()), np.diagonal(exact.matrix()), rtol=ROUNDING)
    assert not np.diagonal(error).any()


@pytest.mark.parametrize("bytes_at_once", [1, 2 * 4 * SIZE * 23])
def test_blocks_of_prompts_give_the_same(kept, bytes_at_once):
    _, sketched = kept
    whole, blocks = sketched_kernel(sketched), sketched_kernel(sketched, bytes_at_once=bytes_at_once)
    np.testing.assert_allclose(blocks.matrix(), whole.matrix(), rtol=1e-9)  # a sum in another order
    np.testing.assert_allclose(blocks.standard_error(), whole.standard_error(), rtol=1e-9)


def test_records_of_factors_take_part(kept):
    """Prompts recorded in different jobs, one with factors and one with sketches, have one kernel."""
    factors, sketched = kept
    mixed = sketched_kernel([factors[0], *sketched[1:]])
    scale = np.sqrt(np.outer(*[np.diagonal(mixed.matrix())] * 2))
    assert np.all(np.abs(mixed.matrix() - sketched_kernel(sketched).matrix()) <= ROUNDING * scale)


def test_the_kernel_of_many_prompts_is_over_all_weights_only(kept):
    _, sketched = kept
    found, split = sketched_kernel(sketched, most_split=2), sketched_kernel(sketched)
    assert set(found.cells) == {TOTAL}
    np.testing.assert_allclose(found.matrix(), split.matrix(), rtol=1e-9)
    assert np.all(found.standard_error() < 3 * split.standard_error() + 1e-30)


def test_matrices_that_are_kept_whole_have_no_error():
    """All weights of the hand-made traces have fewer numbers than a sketch."""
    traces = [make_trace(f"p{seed}", seed=seed) for seed in range(3)]
    values = np.array(
        [[sketch_of(t.gradient(p.name), p, SIZE, 0) for p in t.info.parameters] for t in traces], dtype=np.float32
    )
    found, error = estimate(values, values, np.ones(3, bool))
    np.testing.assert_allclose(found, tangent_kernel(traces).matrix(), rtol=1e-5)
    assert not error.any()


@pytest.mark.parametrize("keep", ["norms", "none", "factors"])
def test_records_without_sketches_are_refused(keep):
    with pytest.raises(StoreError, match="no record keeps sketches"):
        sketched_kernel([make_trace(keep=keep)])


def test_a_record_of_norms_among_sketches_is_refused():
    with pytest.raises(StoreError, match="keeps weight_gradients: norms"):
        sketched_kernel([make_trace(keep="sketch"), make_trace(keep="norms")])


def test_gradients_of_different_targets_are_not_compared():
    one, other = (make_trace(keep="sketch", seed=seed) for seed in (0, 1))
    with pytest.raises(StoreError, match="are of its"):
        sketched_kernel([one, Trace(replace(other.info, target="logit"), other.tensors)])


def test_sketches_of_another_size_are_refused(kept):
    tiny = case("llama")
    other = record(tiny.model, tiny.encoded[:1], weight_gradients="sketch", sketch_size=256)
    with pytest.raises(StoreError, match="only sketches of one kind can be compared"):
        sketched_kernel([*kept[1], *other.values()])


def test_records_of_many_prompts_are_not_held_open_and_give_the_same(kept, tmp_path, monkeypatch):
    _, sketched = kept
    paths = [tmp_path / f"{number}.parquet" for number in range(len(sketched))]
    for trace, path in zip(sketched, paths, strict=True):
        write_trace(Trace(replace(trace.info, labels={"model": "m", "condition": "c"}), trace.tensors), path)
    (held,) = from_records.kernels_of(paths)
    monkeypatch.setattr(from_records, "MOST_OPEN", 1)
    one, other = from_records._usable(paths[:2])
    assert one.info.parameters is other.info.parameters  # described once for all
    (found,) = from_records.kernels_of(paths)
    for cell, matrix in held.kernel.cells.items():
        np.testing.assert_array_equal(found.kernel.cells[cell], matrix)
