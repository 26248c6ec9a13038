"""Spectra of whole models: threads, batches, and weights that no route can decompose."""

import numpy as np
import pandas as pd
import pytest
import torch
from internal_physics.families.thermodynamics import spectra as module_under_test
from internal_physics.families.thermodynamics.spectra import decompose_stack, weight_spectra
from internal_physics.models.loading import wrap_model
from internal_physics.models.weights import weights_of
from internal_physics.tables.rows import read_rows, write_rows
from tiny_models import build_model, task_of

SVD = 1e-9  # of the largest singular value; the stated bounds are below it


def loaded(name, dtype=torch.float32):
    return wrap_model(build_model(name, dtype=dtype), None, task_of(name))


@pytest.mark.parametrize("name", ["gpt2", "llama_tied", "bert", "phi3"])
def test_every_weight_has_the_singular_values_of_its_matrix(name):
    model = loaded(name)
    table = weight_spectra(model, threads=2)
    dense = {w.parameter: w.dense().double().numpy() for w in weights_of(model.module, model.anatomy)}
    assert list(table.parameter) == list(dense)
    for row in table.itertuples():
        expected = np.linalg.svd(dense[row.parameter], compute_uv=False)
        assert row.shape == list(dense[row.parameter].shape)
        assert np.abs(row.singular_values - expected).max() <= row.error_bound < SVD * expected[0]
        assert row.weight_norm == pytest.approx(np.linalg.norm(dense[row.parameter]), rel=1e-12)
        assert row.stable_rank == pytest.approx((expected**2).sum() / expected[0] ** 2, rel=1e-9)
    assert (table.status == "ok").all()


def test_threads_change_nothing_and_the_setting_of_torch_is_restored():
    before = torch.get_num_threads()
    one, two = (weight_spectra(loaded("llama"), threads=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert torch.get_num_threads() == before


def test_zero_broken_and_low_rank_weights_are_flagged_or_exact():
    model = loaded("llama")
    layers = model.module.model.layers
    with torch.no_grad():
        layers[0].self_attn.q_proj.weight.zero_()
        layers[1].self_attn.q_proj.weight[0, 0] = float("nan")
        layers[2].self_attn.q_proj.weight[:] = torch.outer(torch.arange(32.0), torch.ones(32))
    table = weight_spectra(model).set_index("parameter")
    zero, broken, low = (table.loc[f"model.layers.{i}.self_attn.q_proj.weight"] for i in range(3))
    assert (zero.status, zero.method, zero.weight_norm) == ("zero matrix", "none", 0.0)
    assert not zero.singular_values.any()
    assert broken.status == "the weight is not finite"
    assert np.isnan(broken.singular_values).all()
    assert (low.status, low.method) == ("ok", "svd")
    assert low.stable_rank == pytest.approx(1)
    assert low.effective_rank == pytest.approx(1, abs=1e-9)
    assert "too few" in low.tail_status


@pytest.mark.parametrize("shape", [(3, 40, 12), (3, 12, 40), (2, 20, 20)])
def test_a_stack_of_matrices_as_on_a_gpu_gives_the_same_as_single_matrices(shape):
    torch.manual_seed(0)
    stack = torch.randn(shape, dtype=torch.float64)
    stack[0] = 0
    stack[-1, :, 3:] = stack[-1, :, :1]  # rank 4 at most
    for (norm, found), matrix in zip(decompose_stack(stack), stack.numpy(), strict=True):
        expected = np.linalg.svd(matrix, compute_uv=False)
        assert norm == pytest.approx(np.linalg.norm(matrix))
        assert np.abs(found.singular_values - expected).max() <= max(found.error_bound, 1e-15)
    assert decompose_stack(stack)[0][1].status == "zero matrix"
    assert decompose_stack(stack)[-1][1].method == "svd"


def test_a_stack_that_fails_is_decomposed_one_by_one(monkeypatch):
    def fails(_matrix):
        raise torch.linalg.LinAlgError("no convergence")

    monkeypatch.setattr(torch.linalg, "eigvalsh", fails)
    stack = torch.randn(2, 9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for (_, found), matrix in zip(decompose_stack(stack), stack.numpy(), strict=True):
        np.testing.assert_allclose(found.singular_values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-9)


def test_batches_of_one_shape_give_every_weight_its_own_row(monkeypatch):
    model = loaded("gpt2")
    found = list(weights_of(model.module, model.anatomy))
    monkeypatch.setattr(module_under_test, "BATCH_NUMBERS", 2 * 32 * 96)
    rows = pd.DataFrame(module_under_test._batched(found)).set_index("parameter")
    alone = weight_spectra(model).set_index("parameter")
    assert set(rows.index) == set(alone.index)
    for name in alone.index:
        np.testing.assert_allclose(
            rows.singular_values[name], alone.singular_values[name], rtol=1e-7, atol=alone.error_bound[name]
        )


def test_a_file_keeps_the_numbers_to_the_last_bit(tmp_path):
    table = weight_spectra(loaded("llama", torch.float64))
    write_rows(table, tmp_path / "weights" / "m.parquet")
    again = read_rows(tmp_path / "weights" / "m.parquet")
    for name in ("parameter", "layer", "kind", "weight_norm", "alpha", "error_bound"):
        pd.testing.assert_series_equal(again[name], table[name], check_dtype=False)
    for ours, theirs in zip(table.singular_values, again.singular_values, strict=True):
        assert theirs.dtype == np.float64
        np.testing.assert_array_equal(ours, theirs)
