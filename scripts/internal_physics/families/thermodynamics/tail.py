"""Alpha: the exponent of the power law that the tail of a weight's spectrum follows.

As WeightWatcher defines it: λ = σ², density p(λ) ∝ λ^(-alpha) for λ ≥ λ_min; alpha by maximum likelihood and λ_min by
the smallest Kolmogorov-Smirnov distance. Sources: Clauset, Shalizi and Newman (2009), Martin and Mahoney (2021).
"""

import math
from dataclasses import dataclass

import numpy as np

from internal_physics.ground.status import OK

_SHARES = np.linspace(0.0, 1.0, 17)  # of a tail's length, where its distance is looked at first
_ROUNDING = 1e-12
FEWEST_EIGENVALUES = 20  # WeightWatcher, too, fits a plain maximum likelihood only from here on


@dataclass(frozen=True)
class Tail:
    """The power law fitted to the tail of a spectrum.

    Attributes:
        alpha: exponent, above 1; about 2 to 6 in well-trained layers, larger where there is no heavy tail.
        minimum: λ_min, where the tail starts; unit of the weight squared.
        distance: Kolmogorov-Smirnov distance between tail and fit, 0 to 1.
        n_tail: eigenvalues in the tail.
        status: "ok", or why there is no fit.
    """

    alpha: float
    minimum: float
    distance: float
    n_tail: int
    status: str = OK


def tail_exponent(singular_values: np.ndarray, resolution: float = 0.0) -> Tail:
    """Fit the tail of a spectrum.

    Args:
        singular_values: [k], in any order, finite or not.
        resolution: singular values not above it are rounding and left out. (WeightWatcher leaves out eigenvalues
            below 1e-5 whatever the scale of the weight; where the tail starts above both, alpha is the same.)

    Returns:
        The fit; NaN with a status for fewer than 20 eigenvalues, or where all of them are equal, as those of an
        orthogonal weight: up to rounding, and up to twice the resolution.
    """
    values = singular_values[np.isfinite(singular_values)].astype(np.float64)
    values = np.sort(values[values > max(resolution, 0.0)])
    n = len(values)
    if n < FEWEST_EIGENVALUES:
        return _no_tail(f"{n} eigenvalues above rounding: too few for a tail")
    largest = float(values[-1])
    scaled = values / largest  # so that no square leaves the range of a float
    alphas = _exponents(scaled**2, flat_from=1.0 - max(_ROUNDING, 2 * resolution / largest))
    if not np.isfinite(alphas).any():
        return _no_tail("flat spectrum: no tail")
    distances = _smallest_distances(scaled**2, alphas)
    best = int(np.argmin(distances))
    return Tail(float(alphas[best]), float(values[best] ** 2), float(distances[best]), n - best)


def _exponents(ascending: np.ndarray, flat_from: float) -> np.ndarray:
    """Maximum-likelihood alpha for each start but the last, 1 + m / Σ ln(λ/λ_min); infinite where the rest is flat.

    Args:
        ascending: eigenvalues, the largest 1.
        flat_from: a singular value that is not told apart from the largest.
    """
    logs = np.log(ascending)
    in_tail = np.arange(len(logs), 0, -1.0)
    excess = np.cumsum(logs[::-1])[::-1] - in_tail * logs
    flat = ascending[:-1] >= flat_from**2
    with np.errstate(divide="ignore"):
        return np.where(flat, np.inf, 1.0 + in_tail[:-1] / np.where(flat, 1.0, excess[:-1]))


def _smallest_distances(ascending: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """The distance of each start, or infinity for one that is certainly not the smallest.

    A distance is at least that at any place of the tail. Taken at a few places of all tails together, this leaves out
    most of the starts; the others are measured whole, the most promising first.
    """
    bounds = _least_distances(ascending, alphas)
    distances, smallest = np.full(len(alphas), math.inf), math.inf
    for i in np.argsort(bounds, kind="stable"):
        if bounds[i] > smallest:
            break
        distances[i] = _distance(ascending[i:], alphas[i])
        smallest = min(smallest, distances[i])
    return distances


def _least_distances(ascending: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """For each start a number that its distance is not below: the largest difference at some places of its tail."""
    starts = np.arange(len(alphas))
    n_tail = len(ascending) - starts
    places = (_SHARES * (n_tail[:, None] - 1)).astype(np.intp)
    is_fit = np.isfinite(alphas) & (alphas > 1)
    power = np.where(is_fit, 1.0 - alphas, 0.0)[:, None]
    fitted = 1.0 - (ascending[starts[:, None] + places] / ascending[starts, None]) ** power
    differences = np.abs(fitted - places / n_tail[:, None]).max(axis=1)
    return np.where(is_fit, differences - _ROUNDING, 1.0)


def _distance(tail: np.ndarray, alpha: float) -> float:
    if not (math.isfinite(alpha) and alpha > 1):
        return 1.0
    fitted = 1.0 - (tail / tail[0]) ** (1.0 - alpha)
    return float(np.abs(fitted - np.arange(len(tail)) / len(tail)).max())


def _no_tail(status: str) -> Tail:
    return Tail(math.nan, math.nan, math.nan, 0, status)
