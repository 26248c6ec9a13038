"""All singular values of a weight, in float64, fast and with a bound on their error.

Index conventions: k rank 0..r-1 of a singular value, r = min(rows, columns); descending. Units are those of the weight.

Two routes. "gram" takes the square roots of the eigenvalues of the r×r Gram matrix: several times faster, but it
squares the numbers, so small singular values lose up to half their digits. "svd" is backward stable. The Gram route
is kept only where its own error bound says that the sum over all singular values is known to nine digits.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from internal_physics.ground.status import OK

EPSILON = float(np.finfo(np.float64).eps)
GRAM_TOLERANCE = 1e-9  # summed error over summed singular values, above which the Gram route is not good enough
_SMALLEST_SQUARED_NORM = float(np.finfo(np.float64).tiny) / EPSILON**2
_CHUNK_NUMBERS = 2**22  # converted to float64 at a time: 32 MB, whatever the size of an embedding
# Rounding errors of a sum of n products stay below CONFIDENCE·√n·u with a probability of failure of 2·exp(-C²/2):
# Higham and Mary, A new approach to probabilistic rounding error analysis (2019). At 10 that is 4e-22.
_CONFIDENCE = 10.0


@dataclass(frozen=True)
class Spectrum:
    """Singular values of one matrix.

    Attributes:
        singular_values: [r], descending, float64; NaN throughout where there are none.
        method: "gram", "svd", "svd (gesvd)", or "none".
        error_bound: no singular value is off by more than this, in the unit of the matrix; NaN with method "none".
        status: "ok", or why there are no singular values or what is special about them.
    """

    singular_values: np.ndarray
    method: str
    error_bound: float
    status: str = OK


def spectrum(matrix: np.ndarray) -> Spectrum:
    """Singular values of a matrix [rows, columns] of any floating type, by the fastest route that is exact enough.

    A zero matrix has the spectrum 0 and a status; one that is not finite, or that no route can decompose, has NaN
    and a status. Nothing is raised.
    """
    r = min(matrix.shape)
    if not np.isfinite(matrix).all():
        return undefined(r, "the weight is not finite")
    if not matrix.any():
        return zero_spectrum(r)
    return by_gram(matrix) or by_svd(matrix)


def by_gram(matrix: np.ndarray) -> Spectrum | None:
    """The Gram route; None where it fails or its error is not small enough."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # of squares beyond the range of a float
            eigenvalues = np.linalg.eigvalsh(gram_matrix(matrix))
    except np.linalg.LinAlgError:
        return None
    return from_eigenvalues(eigenvalues, max(matrix.shape))


def from_eigenvalues(eigenvalues: np.ndarray, n_long: int) -> Spectrum | None:
    """Spectrum from the eigenvalues [r] of a Gram matrix, not zero, that sums over `n_long` products.

    None if it is not exact enough, or if squares are so small that they lose digits.

    With |λ̃ - λ| ≤ δ, a singular value is off by at most δ/σ̃ and at most √δ. δ is the rounding of the product,
    C·√n·u·‖W‖², and that of the symmetric eigenvalues, r·ε·λ₁ (LAPACK Users' Guide, section 4.7).
    """
    descending = np.clip(eigenvalues[::-1], 0.0, None)
    values = np.sqrt(descending)
    squared_norm = float(descending.sum())
    if not squared_norm > _SMALLEST_SQUARED_NORM:
        return None
    delta = _CONFIDENCE * math.sqrt(n_long) * EPSILON / 2 * squared_norm
    delta += len(values) * EPSILON * float(descending[0])
    errors = delta / np.maximum(values, math.sqrt(delta)) if delta > 0 else np.zeros_like(values)
    if not np.isfinite(values).all() or not errors.sum() <= GRAM_TOLERANCE * values.sum():
        return None
    return Spectrum(values, "gram", float(errors.max()))


def gram_matrix(matrix: np.ndarray) -> np.ndarray:
    """The smaller Gram matrix, WᵀW or WWᵀ, [r, r], accumulated in float64 over blocks of the longer axis."""
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    r = tall.shape[1]
    step = max(1, _CHUNK_NUMBERS // r)
    gram = np.zeros((r, r))
    for start in range(0, len(tall), step):
        block = tall[start : start + step].astype(np.float64)
        gram += block.T @ block
    return gram


def by_svd(matrix: np.ndarray) -> Spectrum:
    """The stable route: divide and conquer, else QR iteration, else NaN with a status.

    A backward stable SVD is off by at most p·ε·σ₁ with p a modest function of the shape; max(rows, columns) is taken.
    """
    dense = matrix.astype(np.float64)
    routes: tuple[tuple[str, Callable[[], np.ndarray]], ...] = (
        ("svd", lambda: np.linalg.svd(dense, compute_uv=False)),
        ("svd (gesvd)", lambda: scipy.linalg.svd(dense, compute_uv=False, lapack_driver="gesvd")),
    )
    for method, route in routes:
        try:
            values = route()
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(values).all():
            return Spectrum(values, method, max(matrix.shape) * EPSILON * float(values[0]))
    return undefined(min(matrix.shape), "no decomposition converged")


def undefined(r: int, status: str) -> Spectrum:
    """A spectrum of NaN, with the reason."""
    return Spectrum(np.full(r, np.nan), "none", math.nan, status)


def zero_spectrum(r: int) -> Spectrum:
    """The spectrum of a zero matrix."""
    return Spectrum(np.zeros(r), "none", 0.0, "zero matrix")


def stable_rank(values: np.ndarray) -> float:
    """‖W‖² / σ₁² = Σσ² / σ₁², between 1 and r; NaN for a zero or undefined spectrum."""
    largest = values[0]
    return float(np.sum((values / largest) ** 2)) if largest > 0 else math.nan


def effective_rank(values: np.ndarray) -> float:
    """e^S with S the entropy of p = σ/Σσ, between 1 and r; NaN for a zero or undefined spectrum.

    Source: Roy and Vetterli, The effective rank (2007).
    """
    return math.exp(entropy_nats(values)) if values[0] > 0 else math.nan


def entropy_nats(values: np.ndarray) -> float:
    """S = -Σ p ln p with p = σ/Σσ and 0 ln 0 = 0, in nats, between 0 and ln r; NaN where Σσ is 0 or not finite."""
    total = float(np.sum(values))
    if not (math.isfinite(total) and total > 0):
        return math.nan
    shares = values[values > 0] / total
    shares = shares[shares > 0]
    return float(max(0.0, -np.sum(shares * np.log(shares))))
