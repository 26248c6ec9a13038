"""Correlations of paired observations, with permutation p-values and a false-discovery correction."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from internal_physics.ground.status import join_status
from internal_physics.ground.words import plural
from internal_physics.statistics.bootstrap import Interval, batch_size, bootstrap_bounds
from internal_physics.statistics.options import CONFIDENCE_LEVEL, N_RESAMPLES

Kind = Literal["pearson", "spearman"]
FEWEST_PAIRS = 3
TOO_FEW_PAIRS = f"fewer than {FEWEST_PAIRS} pairs"

# A spread this small relative to the numbers is rounding. Above it scipy's own limit, eps^0.75 of the
# mean for the norm of the deviations, cannot be reached, since that norm is at least the range over sqrt(2).
_CONSTANT_TOLERANCE = 2 * float(np.finfo(np.float64).eps) ** 0.75


@dataclass(frozen=True)
class Correlation:
    """Pearson and Spearman correlation of n pairs.

    Attributes:
        n: number of pairs used, both members finite.
        pearson_r: -1 to 1, NaN where undefined.
        pearson_p: two-sided permutation p-value, 0 to 1.
        spearman_rho: -1 to 1, NaN where undefined.
        spearman_p: two-sided permutation p-value, 0 to 1.
        status: "ok", or plain phrases that say what was left out or why there is no correlation.
        left_out: the phrase for pairs that were left out; empty if there are none.
        constant: "x", "y" or both, where they do not vary.
    """

    n: int
    pearson_r: float
    pearson_p: float
    spearman_rho: float
    spearman_p: float
    status: str
    left_out: str = ""
    constant: tuple[str, ...] = ()


def correlate_pair(x: ArrayLike, y: ArrayLike, *, seed: int, n_resamples: int = N_RESAMPLES) -> Correlation:
    """Pearson and Spearman correlation of x and y, with two-sided permutation p-values.

    A p-value is twice the smaller share of re-pairings whose correlation is at least as high, or at least
    as low, as the observed one. All n! re-pairings are tried if there are at most `n_resamples`
    (exact; at the default up to 7 pairs); otherwise `n_resamples` random ones, including the observed one.
    So no p-value is below 2/n! or 2/(n_resamples+1): three pairs cannot give less than 1/3. Source:
    Phipson and Smyth (2010).

    Args:
        x: [observation] numbers; pairs with a member that is not finite are left out, which the status says.
        y: [observation] partners of x.
        seed: of the permutations.
        n_resamples: number of permutations.

    Returns:
        The correlation. NaN with a status where fewer than 3 pairs are left, or where x or y is constant
        (to rounding: a range below 4e-12 of the largest magnitude).

    Raises:
        ValueError: x and y are not one-dimensional or differ in length, or `n_resamples` is out of range.
    """
    x, y, left_out = _finite_pairs(x, y)
    problem = _why_undefined(x, y)
    if problem:
        undefined = (math.nan, math.nan, math.nan, math.nan)
        return Correlation(x.size, *undefined, join_status(left_out, problem), left_out, _constant(x, y))
    options = {"seed": seed, "n_resamples": n_resamples}
    return Correlation(
        n=x.size,
        pearson_r=float(_pearson_r(x, y)),
        pearson_p=_permutation_p(_unit(x), _unit(y), **options),
        spearman_rho=float(_spearman_rho(x, y)),
        spearman_p=_permutation_p(_unit(stats.rankdata(x)), _unit(stats.rankdata(y)), **options),
        status=join_status(left_out),
        left_out=left_out,
    )


def correlation_interval(
    x: ArrayLike,
    y: ArrayLike,
    kind: Kind,
    *,
    seed: int,
    n_resamples: int = N_RESAMPLES,
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Interval:
    """Correlation with its bootstrap interval over pairs (BCa, or percentile where BCa is undefined).

    Pairs are resampled whole. A resample in which all x or all y are equal has no correlation: it is
    left out, and the status says how many there were. That happens with few pairs (at five, in 1 of 625 resamples
    or more) or with many ties. Pairs on a straight line give an interval of zero width, however few there are.

    Args:
        x: [observation] numbers; pairs with a member that is not finite are left out, which the status says.
        y: [observation] partners of x.
        kind: "pearson" or "spearman".
        seed: of the resampling.
        n_resamples: number of bootstrap samples.
        confidence_level: between 0 and 1, both excluded.

    Returns:
        The correlation, -1 to 1, and its interval. NaN with a status as for `correlate_pair`.

    Raises:
        ValueError: the kind is unknown, the shapes do not fit, or an option is out of range.
    """
    statistic = _statistic(kind)
    x, y, left_out = _finite_pairs(x, y)
    problem = _why_undefined(x, y)
    if problem:
        return Interval(math.nan, math.nan, math.nan, x.size, join_status(left_out, problem))
    bounds = bootstrap_bounds((x, y), statistic, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    undefined = f"{bounds.n_undefined} of {n_resamples} resamples left out: constant"
    status = join_status(left_out, undefined if bounds.n_undefined else "")
    return Interval(float(statistic(x, y)), bounds.low, bounds.high, x.size, status)


def parametric_p(r: float, n: int) -> float:
    """Two-sided p-value of a correlation by Student's t with n - 2 degrees of freedom.

    The default of scipy's pearsonr and spearmanr, and what most published analyses quote. Exact for Pearson's r of
    normal data, otherwise an approximation: the permutation p-values above need no such assumption.

    Args:
        r: -1 to 1.
        n: number of pairs.

    Returns:
        0 to 1; 0 at |r| = 1; NaN where r is NaN or n < 3.
    """
    if n < FEWEST_PAIRS or math.isnan(r):
        return math.nan
    if abs(r) >= 1:
        return 0.0
    return float(2 * stats.t.sf(abs(r) * math.sqrt((n - 2) / (1 - r * r)), n - 2))


def is_constant(values: NDArray[np.float64]) -> bool:
    """Whether finite values are equal up to float64 rounding; true for one value or none."""
    return values.size == 0 or bool(np.ptp(values) <= _CONSTANT_TOLERANCE * np.abs(values).max())


def _finite_pairs(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}: expected one axis of the same length")
    finite = np.isfinite(x) & np.isfinite(y)
    n_left_out = int(np.count_nonzero(~finite))
    note = f"{plural(n_left_out, 'pair')} left out: not finite" if n_left_out else ""
    return x[finite], y[finite], note


def _why_undefined(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    if x.size < FEWEST_PAIRS:
        return TOO_FEW_PAIRS
    return "; ".join(f"constant {name}" for name in _constant(x, y))


def _constant(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
    return tuple(name for name, values in (("x", x), ("y", y)) if is_constant(values))


def _statistic(kind: Kind) -> Callable[..., NDArray[np.float64]]:
    if kind == "pearson":
        return _pearson_r
    if kind == "spearman":
        return _spearman_rho
    raise ValueError(f'kind is {kind!r}: expected "pearson" or "spearman"')


def _pearson_r(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return stats.pearsonr(x, y, axis=axis).statistic


def _spearman_rho(x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    # spearmanr has no axis for batches of samples; the Pearson correlation of mean ranks is the same.
    return _pearson_r(stats.rankdata(x, axis=axis), stats.rankdata(y, axis=axis), axis)


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that vary, less their mean, of norm 1: products of two such samples are their correlation."""
    scaled = values / np.abs(values).max()
    centred = scaled - scaled.mean()
    centred /= np.abs(centred).max()
    return centred / np.linalg.norm(centred)


def _permutation_p(x: NDArray[np.float64], y: NDArray[np.float64], *, seed: int, n_resamples: int) -> float:
    """Two-sided permutation p-value of the product of two samples as `_unit` gives them.

    scipy takes values for equal that differ by 2e-14 of the observed one. Near 0 that is less than rounding, and equal
    products would count as smaller or larger by chance. So 3 is added: 2 to 4 has one limit for all.
    """

    def product(permuted: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return 3.0 + np.moveaxis(permuted, axis, -1) @ x

    test = stats.permutation_test(
        (y,),
        product,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=n_resamples,
        batch=batch_size(x.size),
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)
