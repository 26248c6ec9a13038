"""Alpha: against the powerlaw package (with a wider range of exponents) and against known exponents."""

import numpy as np
import powerlaw
import pytest
from internal_physics.families.thermodynamics.tail import FEWEST_EIGENVALUES, tail_exponent


def pareto(alpha, n, seed=0):
    """Singular values whose squares have density λ^(-alpha) above 1."""
    return np.sqrt(1 + np.random.default_rng(seed).pareto(alpha - 1, n))


@pytest.mark.parametrize(("alpha", "n", "seed"), [(2.2, 60, 0), (3.5, 80, 1), (6.0, 50, 2)])
def test_alpha_is_that_of_the_powerlaw_package(alpha, n, seed):
    values = pareto(alpha, n, seed)
    found = tail_exponent(values)
    # By default, the package (2.0.0) searches only up to alpha = 3.
    fit = powerlaw.Fit(
        values**2, xmin_distribution="power_law", parameter_ranges={"alpha": [1, None]}, verbose=0
    ).power_law
    assert found.alpha == pytest.approx(fit.alpha, rel=1e-6)
    assert found.minimum == pytest.approx(fit.xmin, rel=1e-9)
    assert found.distance == pytest.approx(fit.D, rel=1e-6)


def every_start(values):
    """The tail with the smallest of the distances that are measured one by one, at all places of every tail."""
    ascending = np.sort(values) ** 2
    found = []
    for start in range(len(ascending) - 1):
        tail = ascending[start:]
        excess = np.log(tail / tail[0]).sum()
        alpha = 1 + len(tail) / excess if excess > 0 else np.inf
        empirical = np.arange(len(tail)) / len(tail)
        distance = np.abs(1 - (tail / tail[0]) ** (1 - alpha) - empirical).max() if np.isfinite(alpha) else 1.0
        found.append((distance, start, alpha))
    distance, start, alpha = min(found)
    return alpha, ascending[start], distance, len(ascending) - start


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_distance_of_all_starts_is_found(seed):
    rng = np.random.default_rng(seed)
    spectra = {
        "matrix": np.linalg.svd(rng.standard_normal((70, 50)), compute_uv=False),
        "pareto": pareto(1.5 + seed, 150, seed),
        "few different values": rng.integers(1, 5, 60).astype(float),
        "a flat end": np.concatenate([rng.uniform(0.1, 1, 40), np.full(20, 3.0)]),
    }
    for name, values in spectra.items():
        found = tail_exponent(values)
        told = (found.alpha, found.minimum, found.distance, found.n_tail)
        assert told == pytest.approx(every_start(values), rel=1e-9), name


@pytest.mark.parametrize("alpha", [2.0, 3.0, 5.0])
def test_alpha_of_a_true_power_law_is_found(alpha):
    found = tail_exponent(pareto(alpha, 4000))
    assert found.alpha == pytest.approx(alpha, rel=0.1)
    assert found.status == "ok"
    assert found.distance < 0.05


def test_scale_and_order_and_rounding_do_not_matter():
    values = pareto(3.0, 200)
    found = tail_exponent(values)
    assert tail_exponent(values[::-1] * 1e-4).alpha == pytest.approx(found.alpha, rel=1e-9)
    noisy = np.concatenate([values, np.full(50, 1e-12)])
    assert tail_exponent(noisy, resolution=1e-10) == found
    for scale in (1e-30, 1e30, 1e-150, 1e150):
        assert tail_exponent(values * scale).alpha == pytest.approx(found.alpha, rel=1e-9)


def test_singular_values_that_their_resolution_does_not_tell_apart_are_flat():
    values = 1 + 1e-8 * np.linspace(-1, 1, 40)
    assert tail_exponent(values).status == "ok"
    assert "flat" in tail_exponent(values, resolution=1e-8).status


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones(FEWEST_EIGENVALUES - 1), "too few"),
        (np.full(40, np.nan), "too few"),
        (np.zeros(40), "too few"),
        (np.full(40, 2.0), "flat"),
        (np.linalg.svd(np.linalg.qr(pareto(3.0, 1600).reshape(40, 40))[0], compute_uv=False), "flat"),  # 1, rounded
    ],
)
def test_a_spectrum_without_a_tail_is_flagged(values, reason):
    found = tail_exponent(values)
    assert reason in found.status
    assert np.isnan([found.alpha, found.minimum, found.distance]).all()
    assert found.n_tail == 0
