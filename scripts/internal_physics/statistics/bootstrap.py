"""Confidence intervals by resampling: bootstrap for a mean, jackknife for a statistic of a whole set."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from internal_physics.statistics.options import CONFIDENCE_LEVEL, N_RESAMPLES
from internal_physics.statistics.ties import are_tied

# Resampled numbers held in memory at once: 32 MB of float64, whatever the number of prompts.
_BATCH_ELEMENTS = 2**22


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval.

    Attributes:
        value: the statistic of the whole sample, in the unit of the data; NaN where it is undefined.
        low: lower end of the interval, NaN where there is none.
        high: upper end of the interval, NaN where there is none.
        n: number of observations used.
        status: "ok", or a plain phrase that says what is missing and why.
    """

    value: float
    low: float
    high: float
    n: int
    status: str


@dataclass(frozen=True)
class BootstrapBounds:
    """Both ends of a bootstrap interval and the number of resamples on which the statistic was undefined."""

    low: float
    high: float
    n_undefined: int


def mean_interval(
    values: ArrayLike, *, seed: int, n_resamples: int = N_RESAMPLES, confidence_level: float = CONFIDENCE_LEVEL
) -> Interval:
    """Mean over prompts with its BCa bootstrap interval (bias-corrected and accelerated).

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 14.3. The same seed gives
    the same bits. Where BCa is undefined although the values differ (by rounding only, or with so few
    resamples that all fall on one side of the mean), the ends are the percentiles of the same resamples: a
    sound interval for a mean as well, so the status stays "ok". Few prompts make any bootstrap interval too
    narrow (two can only give resampled means between the two): read `n` with it.

    Args:
        values: [prompt] finite numbers; computed in float64.
        seed: of the resampling.
        n_resamples: number of bootstrap samples.
        confidence_level: between 0 and 1, both excluded.

    Returns:
        The mean, in the unit of the values, and its interval. Equal values: low = high = value. One value: the
        value without an interval. No values, or values whose sum is beyond the range of a float: NaN throughout. The
        status says so in the last three cases.

    Raises:
        ValueError: values are not one-dimensional or not all finite, or an option is out of range.
    """
    sample = _finite_sample(values, "values")
    if sample.size == 0:
        return Interval(math.nan, math.nan, math.nan, 0, "no prompts: no mean")
    if sample.size == 1:
        return Interval(float(sample[0]), math.nan, math.nan, 1, "one prompt: no interval")
    if np.ptp(sample) == 0:
        # Not averaged: a mean of equal numbers may differ from them in the last bit.
        value = float(sample[0])
        return Interval(value, value, value, sample.size, "ok")
    with np.errstate(over="ignore"):
        mean = float(np.mean(sample))
    if not math.isfinite(mean):
        return Interval(math.nan, math.nan, math.nan, sample.size, "the sum is beyond the range of a float: no mean")
    bounds = bootstrap_bounds((sample,), np.mean, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
    return Interval(mean, bounds.low, bounds.high, sample.size, "ok")


def jackknife_interval(
    value: float,
    leave_one_out_values: ArrayLike,
    *,
    confidence_level: float = CONFIDENCE_LEVEL,
    lower_bound: float | None = None,
) -> Interval:
    """Delete-one jackknife interval for a statistic of a whole set of prompts.

    For statistics that a bootstrap would distort: a resample contains some prompts twice, which adds
    eigenvalues to the spectrum of the set that are zero by construction. The interval is `value ± t·se`, with
    `se² = (n-1)/n · Σ (θ_i - mean θ)²` over the n leave-one-out values θ_i and Student's t at n-1 degrees
    of freedom. Source: Tukey (1958), and Efron and Tibshirani (1993), chapter 11. For a mean it is the t
    interval. It assumes a statistic that changes smoothly with the data; do not use it for medians or extremes.

    Args:
        value: the statistic of the whole set.
        leave_one_out_values: [prompt] the statistic of the set without that prompt, finite.
        confidence_level: between 0 and 1, both excluded.
        lower_bound: smallest value the statistic can take by definition; `low` is raised to it.

    Returns:
        The value, in its own unit, and its interval. Equal leave-one-out values: low = high = value. Fewer
        than two of them: no interval, and the status says so.

    Raises:
        ValueError: a number is not finite, the value lies below its bound, or the level is out of range.
    """
    sample = _finite_sample(leave_one_out_values, "leave_one_out_values")
    if not math.isfinite(value):
        raise ValueError(f"value is {value}: expected a finite number")
    if lower_bound is not None and value < lower_bound:
        raise ValueError(f"value {value} is below its lower bound {lower_bound}")
    _check_level(confidence_level)
    n = sample.size
    if n < 2:
        status = f"{'one prompt' if n else 'no prompts'}: no interval"
        return Interval(float(value), math.nan, math.nan, n, status)
    half_width = _jackknife_error(sample) * stdtrit(n - 1, (1 + confidence_level) / 2)
    low = value - half_width if lower_bound is None else max(value - half_width, lower_bound)
    return Interval(float(value), float(low), float(value + half_width), n, "ok")


def bootstrap_bounds(
    data: tuple[NDArray[np.float64], ...],
    statistic: Callable[..., NDArray[np.float64]],
    *,
    seed: int,
    n_resamples: int,
    confidence_level: float,
    paired: bool = True,
) -> BootstrapBounds:
    """Ends of the BCa interval of a statistic, from the resamples on which it is defined.

    Args:
        data: samples [observation]. Paired ones have one length and are resampled together (observation i keeps its
            partner); others are resampled independently.
        statistic: called as `statistic(*samples, axis=-1)` on [..., observation]; NaN where it is undefined.
        seed: of the resampling.
        n_resamples: number of bootstrap samples.
        confidence_level: between 0 and 1, both excluded.
        paired: whether several samples are paired.

    Returns:
        BCa ends; percentile ends where BCa is undefined; NaN where the statistic is undefined on every
        resample. Resamples on which it is undefined are left out and counted in `n_undefined`. Those that equal the
        statistic of the sample up to rounding count as ties (see `ties.are_tied`), so that data that differ by 1e-12
        give ends that differ by as little.

    Raises:
        ValueError: fewer than two observations, or an option out of range.
    """
    from scipy import stats  # noqa: PLC0415  (half a second, which jobs that do not resample are spared)

    _check_level(confidence_level)  # scipy takes any number
    handled_below = (stats.DegenerateDataWarning, stats.ConstantInputWarning, stats.NearConstantInputWarning)
    options = {
        "statistic": statistic,
        "paired": paired and len(data) > 1,
        "batch": batch_size(sum(sample.size for sample in data)),
        "vectorized": True,
        "confidence_level": confidence_level,
    }
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        for category in handled_below:
            warnings.simplefilter("ignore", category)
        drawn = stats.bootstrap(
            data, n_resamples=n_resamples, rng=np.random.default_rng(seed), method="percentile", **options
        )
        defined = drawn.bootstrap_distribution[np.isfinite(drawn.bootstrap_distribution)]
        n_undefined = n_resamples - defined.size
        if defined.size == 0:
            return BootstrapBounds(math.nan, math.nan, n_undefined)
        value = statistic(*data, axis=-1)  # as scipy computes it, to the last bit
        tied = are_tied(defined, value, np.abs(defined).max())
        options["bootstrap_result"] = replace(drawn, bootstrap_distribution=np.where(tied, value, defined))
        for method in ("BCa", "percentile"):
            low, high = stats.bootstrap(data, n_resamples=0, method=method, **options).confidence_interval
            if math.isfinite(low) and math.isfinite(high):
                break
    return BootstrapBounds(float(low), float(high), n_undefined)


def batch_size(n_observations: int) -> int:
    """Number of resamples of `n_observations` to hold in memory at once; at least 1."""
    return max(1, _BATCH_ELEMENTS // max(1, n_observations))


def _jackknife_error(leave_one_out_values: NDArray[np.float64]) -> float:
    """Jackknife standard error; exactly 0 where all values [prompt] are equal."""
    n = leave_one_out_values.size
    if np.ptp(leave_one_out_values) == 0:
        return 0.0
    return math.sqrt((n - 1) * float(np.var(leave_one_out_values)))


def _check_level(confidence_level: float) -> None:
    if not 0 < confidence_level < 1:
        raise ValueError(f"confidence_level is {confidence_level}: expected a number between 0 and 1")


def _finite_sample(values: ArrayLike, name: str) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1:
        raise ValueError(f"{name} has {sample.ndim} dimensions: expected one, over prompts")
    if not np.isfinite(sample).all():
        index = int(np.flatnonzero(~np.isfinite(sample))[0])
        raise ValueError(f"{name}[{index}] is {sample[index]}: leave out and flag values that are not finite first")
    return sample
