"""The numbers of a local linear map, from all of it and from random probes."""

import numpy as np
import pytest
import torch
from internal_physics.families.jacobian.local_map import effective_rank, of_matrix, of_probes
from internal_physics.families.jacobian.statuses import NO_VALUES, NOT_FINITE, SINGULAR
from internal_physics.recording.jacobians import vector_products

EXAMPLE = np.array([[16.0, 12.0], [-4.0, 18.0]])
RNG = np.random.default_rng(0)
EXACT = 1e-12  # float64: a sum of a few products


def test_the_worked_example_by_the_code_that_blocks_run_through():
    """f(x, y) = (x⁴ + 3y²x, 5y² − 2xy + 1) at (1, 2)."""
    point = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    x, y = point
    value = torch.stack([x**4 + 3 * y**2 * x, 5 * y**2 - 2 * x * y + 1])
    found = vector_products(value, point, torch.eye(2, dtype=torch.float64)).numpy()
    assert np.array_equal(found, EXAMPLE)
    numbers = of_matrix(found)
    assert numbers.frobenius_norm == pytest.approx(np.sqrt(16**2 + 12**2 + 4**2 + 18**2), rel=EXACT)
    assert numbers.log_abs_det_nats == pytest.approx(np.log(16 * 18 + 4 * 12), rel=EXACT)
    assert np.prod(numbers.singular_values) == pytest.approx(336, rel=EXACT)


@pytest.mark.parametrize("size", [1, 3, 40])
def test_numbers_of_a_matrix_are_those_of_numpy(size):
    matrix = RNG.standard_normal((size, size))
    numbers = of_matrix(matrix)
    assert numbers.frobenius_norm == pytest.approx(np.linalg.norm(matrix), rel=EXACT)
    assert numbers.log_abs_det_nats == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(numbers.singular_values, np.linalg.svd(matrix)[1], rtol=1e-9)
    assert 1 - EXACT <= numbers.effective_rank <= size + EXACT
    assert (numbers.frobenius_standard_error, numbers.status) == (0, "ok")


def test_the_effective_rank_counts_directions_that_are_alike():
    assert effective_rank(np.array([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3, rel=EXACT)
    assert effective_rank(np.array([5.0, 0.0])) == 1
    assert np.isnan(effective_rank(np.zeros(3)))


def test_degenerate_maps_have_a_status():
    singular, broken = of_matrix(np.ones((3, 3))), of_matrix(np.full((2, 2), np.inf))
    assert (singular.status, broken.status) == (SINGULAR, NOT_FINITE)
    assert np.isnan([singular.log_abs_det_nats, broken.frobenius_norm, broken.effective_rank]).all()
    assert singular.frobenius_norm == pytest.approx(3, rel=EXACT)
    assert of_probes(np.full((2, 2), np.nan)).status == NOT_FINITE


def test_probes_are_unbiased_and_their_standard_error_is_calibrated():
    """2,000 estimates of 32 probes each: the mean of the squares, and the spread of the errors in standard errors."""
    matrix = RNG.standard_normal((24, 24)) / 5 + np.eye(24)
    signs = RNG.choice([-1.0, 1.0], (2000, 32, 24))
    found = [of_probes(vectors @ matrix) for vectors in signs]
    true = np.linalg.norm(matrix)
    squares = np.array([f.frobenius_norm**2 for f in found])
    # unbiased: the mean of 2,000 lies within four of its own standard errors
    assert abs(squares.mean() - true**2) < 4 * squares.std() / np.sqrt(len(squares))
    z = np.array([(f.frobenius_norm - true) / f.frobenius_standard_error for f in found])
    assert 0.93 < z.std() < 1.15  # a t distribution of 31 degrees of freedom has 1.03
    assert 0.91 < (np.abs(z) < 1.96).mean() < 0.97
    assert {f.status for f in found} == {NO_VALUES}
