"""Singular values: equal to those of a float64 SVD within the stated bound, on matrices of every kind."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.families.thermodynamics import spectrum as spectra
from internal_physics.families.thermodynamics.spectrum import (
    effective_rank,
    entropy_nats,
    gram_matrix,
    spectrum,
    stable_rank,
)

SHAPES = [(40, 40), (400, 30), (30, 400), (1, 7), (7, 1), (1, 1)]


def matrix_of(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def exact(matrix):
    return np.linalg.svd(matrix.astype(np.float64), compute_uv=False)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_singular_values_are_within_their_bound(shape, dtype):
    matrix = matrix_of(shape, dtype=dtype)
    found = spectrum(matrix)
    assert found.status == "ok"
    assert np.abs(found.singular_values - exact(matrix)).max() <= found.error_bound
    assert found.error_bound < 1e-6 * found.singular_values[0]


def test_the_bound_of_the_gram_route_holds_where_it_is_hardest():
    left, _ = np.linalg.qr(matrix_of((300, 60), 1, np.float64))
    right, _ = np.linalg.qr(matrix_of((60, 60), 2, np.float64))
    true = np.geomspace(1, 1e-4, 60)
    found = spectra.by_gram(left * true @ right.T)
    assert found is not None
    assert np.abs(found.singular_values - true).max() <= found.error_bound
    assert (np.abs(found.singular_values - true) / true).max() > 1e-14  # the bound is needed


@pytest.mark.parametrize("rank", [0, 1, 5, 19])
def test_a_rank_deficient_matrix_is_decomposed_by_svd(rank):
    matrix = matrix_of((60, rank), 3, np.float64) @ matrix_of((rank, 20), 4, np.float64)
    found = spectrum(matrix)
    assert found.method == ("none" if rank == 0 else "svd")
    assert found.status == ("zero matrix" if rank == 0 else "ok")
    assert (found.singular_values[rank:] <= 1e-13 * max(1, found.singular_values[0])).all()
    if rank:
        np.testing.assert_allclose(entropy_nats(found.singular_values), entropy_nats(exact(matrix)), rtol=1e-9)


def test_a_gram_matrix_is_the_same_in_blocks(monkeypatch):
    matrix = matrix_of((301, 17))
    whole = gram_matrix(matrix)
    monkeypatch.setattr(spectra, "_CHUNK_NUMBERS", 17 * 10)
    np.testing.assert_allclose(gram_matrix(matrix), whole, rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(gram_matrix(matrix.T), whole, rtol=1e-14, atol=1e-12)


def test_a_matrix_that_is_not_finite_is_flagged():
    matrix = matrix_of((5, 4))
    matrix[2, 2] = np.nan
    found = spectrum(matrix)
    assert found.status == "the weight is not finite"
    assert np.isnan(found.singular_values).all()
    assert np.isnan([stable_rank(found.singular_values), effective_rank(found.singular_values)]).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e-145, 1e-30, 1e30, 1e170])
def test_numbers_whose_squares_leave_the_range_of_a_float_have_their_spectrum(scale):
    matrix = matrix_of((6, 4), dtype=np.float64)
    found = spectrum(matrix * scale)
    np.testing.assert_allclose(found.singular_values, np.linalg.svd(matrix, compute_uv=False) * scale, rtol=1e-9)
    assert found.status == "ok"


def fails(*_args, **_kwargs):
    raise np.linalg.LinAlgError("did not converge")


def test_each_route_that_fails_is_followed_by_a_more_robust_one(monkeypatch):
    matrix = matrix_of((30, 20))
    monkeypatch.setattr(np.linalg, "eigvalsh", fails)
    assert spectrum(matrix).method == "svd"
    expected = exact(matrix)
    monkeypatch.setattr(np.linalg, "svd", fails)
    robust = spectrum(matrix)
    assert robust.method == "svd (gesvd)"
    np.testing.assert_allclose(robust.singular_values, expected, rtol=1e-12)
    monkeypatch.setattr(scipy.linalg, "svd", fails)
    last = spectrum(matrix)
    assert (last.method, last.status) == ("none", "no decomposition converged")
    assert np.isnan(last.singular_values).all()
    assert np.isnan(last.error_bound)


@given(rows=st.integers(1, 30), columns=st.integers(1, 30), scale=st.floats(1e-6, 1e6), seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_ranks_and_entropy_are_within_their_ranges_and_independent_of_scale(rows, columns, scale, seed):
    matrix = matrix_of((rows, columns), seed, np.float64)
    values, scaled = spectrum(matrix).singular_values, spectrum(scale * matrix).singular_values
    r = min(rows, columns)
    assert 0 <= entropy_nats(values) <= np.log(r) + 1e-12
    assert 1 - 1e-9 <= stable_rank(values) <= r + 1e-9
    assert 1 <= effective_rank(values) <= r + 1e-9
    np.testing.assert_allclose(scaled, scale * values, rtol=1e-6, atol=1e-7 * scale * values[0])
    np.testing.assert_allclose(entropy_nats(scaled), entropy_nats(values), rtol=1e-6, atol=1e-9)


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_a_rotation_or_a_permutation_changes_no_singular_value(seed):
    matrix = matrix_of((12, 9), seed, np.float64)
    rotation, _ = np.linalg.qr(matrix_of((12, 12), seed + 1, np.float64))
    values = spectrum(matrix).singular_values
    np.testing.assert_allclose(spectrum(rotation @ matrix).singular_values, values, rtol=1e-9)
    np.testing.assert_allclose(spectrum(matrix[::-1, ::-1]).singular_values, values, rtol=1e-9)
    np.testing.assert_allclose(spectrum(matrix.T).singular_values, values, rtol=1e-9)


def test_equal_singular_values_have_full_rank_and_entropy():
    values = np.full(8, 3.0)
    assert entropy_nats(values) == pytest.approx(np.log(8))
    assert stable_rank(values) == pytest.approx(8)
    assert effective_rank(values) == pytest.approx(8)
    assert np.isnan(entropy_nats(np.zeros(3)))
