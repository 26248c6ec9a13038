"""Comparison of two independent samples: effect size with its bootstrap interval and a permutation p-value."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from internal_physics.ground.status import join_status
from internal_physics.statistics.bootstrap import batch_size, bootstrap_bounds
from internal_physics.statistics.options import CONFIDENCE_LEVEL, N_RESAMPLES

FEWEST_EACH = 2
SEPARATED = "the samples do not overlap: an interval without width"


@dataclass(frozen=True)
class Contrast:
    """A comparison of sample x with sample y.

    Attributes:
        value: the statistic; NaN where undefined.
        low: lower end of its interval, NaN where there is none.
        high: upper end of its interval, NaN where there is none.
        p: two-sided permutation p-value, 0 to 1, NaN where undefined.
        n_x: observations of x used, all finite.
        n_y: observations of y used, all finite.
        left_out_x: observations of x that are not finite.
        left_out_y: observations of y that are not finite.
        is_separated: whether the samples do not overlap, so that the interval has no width.
    """

    value: float
    low: float
    high: float
    p: float
    n_x: int
    n_y: int
    left_out_x: int
    left_out_y: int
    is_separated: bool = False

    @property
    def status(self) -> str:
        """Return "ok", or what was left out, or why there is no interval and no p-value."""
        samples = (("x", self.n_x, self.left_out_x), ("y", self.n_y, self.left_out_y))
        left_out = [f"{lost} of {name} left out: not finite" for name, _, lost in samples if lost]
        too_few = [f"fewer than {FEWEST_EACH} in {name}" for name, n, _ in samples if n < FEWEST_EACH]
        return join_status(*left_out, *too_few, SEPARATED if self.is_separated else "")


def cliffs_delta(
    x: ArrayLike, y: ArrayLike, *, seed: int, n_resamples: int = N_RESAMPLES, confidence_level: float = CONFIDENCE_LEVEL
) -> Contrast:
    """Cliff's delta = P(x > y) - P(x < y) over all pairs: an effect size without distributional assumptions.

    -1 to 1; 0 if neither tends to be larger, ±1 if the samples do not overlap (the interval then has no width,
    which the status says). The permutation test is that of Mann and Whitney. Sources: Cliff (1993); Phipson and
    Smyth (2010) for the p-value, which is exact if there are at most `n_resamples` regroupings.

    Args:
        x: [observation] numbers; those not finite are left out, which the status says.
        y: [observation] likewise, independent of x.
        seed: of permutations and resampling.
        n_resamples: number of each.
        confidence_level: of the BCa interval (percentile where BCa is undefined).

    Returns:
        The contrast; with fewer than two observations in x or y, no interval and no p-value.

    Raises:
        ValueError: x or y is not one-dimensional, or an option is out of range.
    """
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    # Regrouping changes no rank, so the test ranks once; each bootstrap resample has its own ranks.
    found = _contrast(x, y, _delta, permuted=(_joint_ranks, _delta_of_ranks), **settings)
    if abs(found.value) < 1 or math.isnan(found.low):
        return found
    return replace(found, is_separated=True)


def ratio_of_means(
    x: ArrayLike, y: ArrayLike, *, seed: int, n_resamples: int = N_RESAMPLES, confidence_level: float = CONFIDENCE_LEVEL
) -> Contrast:
    """Mean of x over mean of y, for quantities above 0, with interval and a permutation test of "the ratio is 1".

    The test is two-sided in the order of ratios, so that x/y and y/x are treated alike. Arguments, interval and
    degenerate input as for `cliffs_delta`.

    Raises:
        ValueError: a number is not above 0, x or y is not one-dimensional, or an option is out of range.
    """
    for name, sample in (("x", x), ("y", y)):
        if (np.asarray(sample, dtype=np.float64) <= 0).any():
            raise ValueError(f"{name} has numbers that are not above 0: a ratio of means needs positive ones")
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    x, y = _of_order_one(x, y)
    found = _contrast(x, y, _log_ratio, permuted=(lambda *samples: samples, _sum_of_first), **settings)
    return replace(found, value=math.exp(found.value), low=math.exp(found.low), high=math.exp(found.high))


def _contrast(
    x: ArrayLike,
    y: ArrayLike,
    statistic: Callable[..., NDArray[np.float64]],
    *,
    permuted: tuple[Callable, Callable],
    seed: int,
    n_resamples: int,
    confidence_level: float,
) -> Contrast:
    (x, left_out_x), (y, left_out_y) = _finite(x, "x"), _finite(y, "y")
    sizes: dict[str, Any] = {"n_x": x.size, "n_y": y.size, "left_out_x": left_out_x, "left_out_y": left_out_y}
    if min(x.size, y.size) < FEWEST_EACH:
        value = float(statistic(x, y)) if x.size and y.size else math.nan
        return Contrast(value, math.nan, math.nan, math.nan, **sizes)
    bounds = bootstrap_bounds(
        (x, y), statistic, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level, paired=False
    )
    prepare, permuted_statistic = permuted
    test = stats.permutation_test(
        prepare(x, y),
        permuted_statistic,
        permutation_type="independent",
        vectorized=True,
        n_resamples=n_resamples,
        batch=batch_size(x.size + y.size),
        rng=np.random.default_rng(seed),
    )
    return Contrast(float(statistic(x, y)), bounds.low, bounds.high, float(test.pvalue), **sizes)


def _delta(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Cliff's delta by the rank sum of x in the joint sample; along the last axis of [..., observation]."""
    return _delta_of_ranks(*_joint_ranks(x, y, axis), axis)


def _joint_ranks(
    x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ranks of x and of y in the joint sample, ties by mean rank."""
    ranks = stats.rankdata(np.concatenate(_same_batch(x, y), axis=axis), axis=axis)
    return ranks[..., : x.shape[-1]], ranks[..., x.shape[-1] :]


def _delta_of_ranks(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    n_x, n_y = x.shape[axis], y.shape[axis]
    return 2 * (x.sum(axis=axis) - n_x * (n_x + 1) / 2) / (n_x * n_y) - 1


def _log_ratio(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return np.log(x.mean(axis=axis)) - np.log(y.mean(axis=axis))


def _sum_of_first(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Orders regroupings as the ratio of means does, because the sum of both samples stays the same.

    Equal ratios may differ in the last digits, which near a ratio of 1 is more than scipy takes for equal.
    """
    return np.broadcast_to(x.sum(axis=axis), np.broadcast_shapes(x.shape[:-1], y.shape[:-1]))


def _of_order_one(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both samples in a unit, a power of two, in which the largest finite number is between 0.5 and 1."""
    x, y = (np.asarray(sample, dtype=np.float64) for sample in (x, y))
    largest = max(np.max(sample, initial=0.0, where=np.isfinite(sample)) for sample in (x, y))
    _, exponent = math.frexp(largest)
    return np.ldexp(x, -exponent), np.ldexp(y, -exponent)


def _same_batch(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both with the same leading axes: scipy may resample only one of them."""
    batch = np.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    return np.broadcast_to(x, (*batch, x.shape[-1])), np.broadcast_to(y, (*batch, y.shape[-1]))


def _finite(values: ArrayLike, name: str) -> tuple[NDArray[np.float64], int]:
    """The finite observations, and how many others were removed."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1:
        raise ValueError(f"{name} has {sample.ndim} dimensions: expected one, over observations")
    finite = np.isfinite(sample)
    return sample[finite], int(np.count_nonzero(~finite))
