"""Spectrum and map of a kernel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from internal_physics.families.kernel import spectrum
from internal_physics.families.kernel.spectrum import effective_rank, eigenvalues, prompt_map, shares


def test_equal_eigenvalues_have_full_rank_and_one_has_rank_one():
    assert effective_rank(eigenvalues(np.eye(7))) == pytest.approx(7)
    assert effective_rank(eigenvalues(np.ones((7, 7)))) == pytest.approx(1, abs=1e-9)
    assert effective_rank(np.array([0.5, 0.5, 0.0])) == pytest.approx(2)


def test_nothing_has_no_rank():
    assert np.isnan(effective_rank(np.zeros(3)))
    assert np.isnan(effective_rank(np.zeros(0)))
    assert np.isnan(shares(np.zeros(3))).all()


def test_eigenvalues_descend_and_none_is_below_zero():
    found = eigenvalues(np.diag([1.0, 3.0, -1e-14]))
    assert found.tolist() == [3.0, 1.0, 0.0]


def test_a_float32_kernel_is_decomposed_in_float64_and_stays_as_it_is():
    points = np.random.default_rng(3).standard_normal((200, 300))
    kernel = (points @ points.T).astype(np.float32)
    given_kernel = kernel.copy()
    expected = np.linalg.svd(kernel.astype(np.float64), compute_uv=False, hermitian=False)
    np.testing.assert_allclose(eigenvalues(kernel), expected, rtol=0, atol=1e-12 * expected[0])
    assert np.array_equal(kernel, given_kernel)


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
@settings(deadline=None)
def test_items_in_a_plane_are_mapped_with_their_distances(seed, n):
    points = np.random.default_rng(seed).standard_normal((n, 2))
    found = prompt_map(points @ points.T)
    assert found.share == pytest.approx(1)
    distances = [np.linalg.norm(p[:, None] - p[None, :], axis=2) for p in (points, found.places)]
    np.testing.assert_allclose(distances[1], distances[0], atol=1e-6)


def test_the_map_shows_a_share_of_the_distances():
    assert prompt_map(np.eye(5)).share == pytest.approx(2 / 4)
    assert np.isnan(prompt_map(np.ones((3, 3))).share)
    assert prompt_map(np.ones((1, 1))).places.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(("number", "rounding"), [(np.float64, 1e-5), (np.float32, 1e-4)])
def test_many_items_have_the_map_of_few(monkeypatch, number, rounding):
    points = np.random.default_rng(1).standard_normal((60, 4)) * [3, 2, 1, 1]
    kernel = points @ points.T
    few = prompt_map(kernel)
    monkeypatch.setattr(spectrum, "FEW", 10)
    many = prompt_map(kernel.astype(number))
    assert many.share == pytest.approx(few.share, abs=rounding)
    np.testing.assert_allclose(many.places, few.places, atol=10 * rounding)


def test_estimates_whose_eigenvalues_are_negative_show_a_share_of_their_distances():
    """Their sum over positive eigenvalues would be more than the distances are."""
    centre = np.eye(5) - 0.2
    kernel = centre @ np.diag([4.0, 3.0, 1.0, -1.0, -1.0]) @ centre
    values = np.linalg.eigvalsh(kernel)
    assert prompt_map(kernel).share == pytest.approx(min(1.0, values[-2:].sum() / values.sum()))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_kernel_that_is_not_finite_has_no_eigenvalues_and_no_map(bad):
    kernel = np.eye(4)
    kernel[2, :] = kernel[:, 2] = bad
    assert np.isnan(eigenvalues(kernel)).all()
    assert np.isnan(effective_rank(eigenvalues(kernel)))
    found = prompt_map(kernel)
    assert found.places.shape == (4, 2)
    assert np.isnan(found.places).all()
    assert np.isnan(found.share)
