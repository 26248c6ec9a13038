"""Comparison of two conditions on the same prompts, many quantities at once, with paired bootstrap intervals.

Index conventions: n prompt, q quantity, r resample.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from internal_physics.statistics.ties import are_tied

Array = NDArray[np.float64]
_ROUNDING = 1e-12  # relative to the mean size of the numbers: a mean that is smaller is zero
MEASURES = ("difference", "absolute_difference", "percent_change")


@dataclass(frozen=True)
class Change:
    """One measure of change for each quantity, [q] each; NaN where there is none.

    Attributes:
        value: over all prompts.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: Array
    low: Array
    high: Array


def paired_changes(
    baseline: Array, steered: Array, *, seed: int, n_resamples: int, confidence_level: float
) -> Mapping[str, Change]:
    """How quantities change between two conditions on the same prompts.

    difference = mean(steered - baseline); absolute_difference = mean |steered - baseline|; percent_change =
    100 · mean(steered - baseline) / |mean(baseline)|, NaN at a mean of zero, up to rounding. A prompt keeps both
    numbers in every resample, and all quantities share the resamples. Intervals are BCa (Efron and Tibshirani 1993,
    section 14.3), percentiles where BCa is undefined, the value itself where no resample differs, NaN for a single
    prompt or where a resample has no value.

    Args:
        baseline: [n, q], finite.
        steered: [n, q], finite.
        seed: of the resampling; the same seed gives the same bits.
        n_resamples: number of bootstrap samples.
        confidence_level: between 0 and 1, both excluded.

    Raises:
        ValueError: for shapes that differ or numbers that are not finite.
    """
    if baseline.shape != steered.shape or baseline.ndim != 2:
        raise ValueError(f"shapes {baseline.shape} and {steered.shape}: expected [n, q] twice")
    if not (np.isfinite(baseline).all() and np.isfinite(steered).all()):
        raise ValueError("a number is not finite: leave it out and flag it first")
    n = len(baseline)
    whole = _measures(np.full((1, n), 1 / n), baseline, steered)
    if n < 2:
        nothing = np.full(baseline.shape[1], np.nan)
        return {name: Change(values[0], nothing, nothing) for name, values in whole.items()}
    resampled = _measures(resampling_weights(n, n_resamples, seed), baseline, steered)
    left_out = _measures((1 - np.eye(n)) / (n - 1), baseline, steered)
    size = np.maximum(np.abs(baseline), np.abs(steered)).max(axis=0)
    sizes = {"percent_change": np.abs(percent_change(size, baseline.mean(axis=0)))}
    return {
        name: Change(
            values[0],
            *bca_bounds(values[0], resampled[name], left_out[name], confidence_level, size=sizes.get(name, size)),
        )
        for name, values in whole.items()
    }


def percent_change(difference: ArrayLike, baseline: ArrayLike) -> Array:
    """100 · difference / |baseline|, elementwise; NaN where the baseline is zero or NaN.

    Args:
        difference: steered - baseline, in the unit of the baseline.
        baseline: of a shape that broadcasts with the difference.
    """
    size = np.abs(np.asarray(baseline, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, 100 * np.asarray(difference) / size, np.nan)


def resampling_weights(n: int, n_resamples: int, seed: int) -> Array:
    """Weight of each prompt in each bootstrap sample, [r, n]; rows sum to one."""
    return draw_weights(np.random.default_rng(seed), n, n_resamples)


def draw_weights(rng: np.random.Generator, n: int, n_resamples: int) -> Array:
    """The next weights of a generator, [r, n]: those of a seed may be drawn a batch at a time."""
    drawn = rng.integers(0, n, (n_resamples, n))
    flat = drawn + n * np.arange(n_resamples)[:, None]
    return np.bincount(flat.ravel(), minlength=n * n_resamples).reshape(n_resamples, n) / n


def bca_bounds(
    value: Array, resampled: Array, left_out: Array, confidence_level: float, *, size: Array
) -> tuple[Array, Array]:
    """Ends of the BCa intervals of many statistics; numbers that change by 1e-12 of their size move no end by a step.

    Args:
        value: [q], of all prompts.
        resampled: [r, q], of the bootstrap samples.
        left_out: [n, q], each row without one prompt.
        confidence_level: between 0 and 1.
        size: [q], of the numbers that each statistic is computed from, which rules what is a tie (see `ties.are_tied`).

    Returns:
        (low, high), [q] each.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ties = are_tied(resampled, value, size)
        share = ((resampled < value) & ~ties).mean(axis=0) + ties.mean(axis=0) / 2
        bias = ndtri(share)
        pull = left_out.mean(axis=0) - left_out
        acceleration = (pull**3).sum(axis=0) / (6 * (pull**2).sum(axis=0) ** 1.5)
        ends = []
        for level in ((1 - confidence_level) / 2, (1 + confidence_level) / 2):
            z = bias + ndtri(level)
            place = ndtr(bias + z / (1 - acceleration * z))
            ends.append(_quantiles(resampled, np.where(np.isfinite(place), place, level)))
    return ends[0], ends[1]


def _measures(weights: Array, baseline: Array, steered: Array) -> dict[str, Array]:
    """Every measure under each weighting of the prompts, [r, q]."""
    change = steered - baseline
    difference = weights @ change
    mean = weights @ baseline
    is_zero = np.abs(mean) <= _ROUNDING * (weights @ np.abs(baseline))  # such as that of 0.1, 0.2 and -0.3
    return {
        "difference": difference,
        "absolute_difference": weights @ np.abs(change),
        "percent_change": percent_change(difference, np.where(is_zero, 0.0, mean)),
    }


def _quantiles(values: Array, places: Array) -> Array:
    """Per-column quantile at a per-column probability, [q], linear between values; NaN where a value is NaN."""
    ordered = np.sort(values, axis=0)
    position = places * (len(ordered) - 1)
    below = np.floor(position).astype(int)
    above = np.minimum(below + 1, len(ordered) - 1)
    columns = np.arange(ordered.shape[1])
    low, high = ordered[below, columns], ordered[above, columns]
    found = low + (high - low) * (position - below)
    return np.where(np.isnan(ordered[-1]), np.nan, found)  # sorting puts NaN last
