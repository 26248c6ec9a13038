"""Two matched samples, many quantities at once: difference and ratio of means with intervals, and sign-flip tests.

Index conventions: n prompt, q quantity, r resample or pattern of signs.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from internal_physics.statistics.bootstrap import batch_size
from internal_physics.statistics.paired import Change, bca_bounds, draw_weights

Array = NDArray[np.float64]
FEWEST_MATCHED = 2
_ROUNDING = 1e-12  # relative to the sum of the sizes: sums that differ by less are ties


@dataclass(frozen=True)
class Matched:
    """A comparison of two matched samples, [q] each; NaN where there is none.

    Attributes:
        n: prompts that have both numbers.
        means: of the first and of the second sample over these prompts, [2, q].
        difference: mean(first) - mean(second).
        ratio: mean(first) / mean(second), of quantities whose numbers are all above 0.
        p: two-sided p-value of "the difference is symmetric about 0".
    """

    n: NDArray[np.int64]
    means: Array
    difference: Change
    ratio: Change
    p: Array


def compare_matched(first: Array, second: Array, *, seed: int, n_resamples: int, confidence_level: float) -> Matched:
    """Compare two samples of the same prompts.

    A prompt that lacks one of the numbers is left out of its quantity. A prompt keeps both numbers in every resample,
    and quantities of the same prompts share the resamples. Intervals are BCa (Efron and Tibshirani 1993, section
    14.3); that of the ratio is found for its logarithm, so that swapping the samples turns the difference into its
    negative and the ratio into its inverse, intervals and p-value included.

    Args:
        first: [n, q]; NaN or infinite where there is no number.
        second: [n, q], likewise.
        seed: of resampling and signs; the same seed gives the same bits.
        n_resamples: number of bootstrap samples, and of patterns of signs.
        confidence_level: between 0 and 1, both excluded.

    Returns:
        The comparison. One prompt: values without intervals and p. None: NaN throughout. Equal samples: difference 0
        and ratio 1 with intervals of zero width, p = 1.

    Raises:
        ValueError: for shapes that differ.
    """
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError(f"shapes {first.shape} and {second.shape}: expected [n, q] twice")
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    usable = np.isfinite(first) & np.isfinite(second)
    found = np.full((9, first.shape[1]), np.nan)
    patterns, place = np.unique(usable, axis=1, return_inverse=True)
    for pattern, mask in enumerate(patterns.T):
        columns = np.flatnonzero(np.ravel(place) == pattern)
        found[:, columns] = _compare(first[np.ix_(mask, columns)], second[np.ix_(mask, columns)], **settings)
    return Matched(usable.sum(axis=0), found[:2], Change(*found[2:5]), Change(*found[5:8]), found[8])


def _compare(first: Array, second: Array, *, seed: int, n_resamples: int, confidence_level: float) -> Array:
    """Means, difference and ratio with their ends, and p of samples without missing numbers, [9, q]."""
    n, n_quantities = first.shape
    found = np.full((9, n_quantities), np.nan)
    if n == 0:
        return found
    found[:2] = first.mean(axis=0), second.mean(axis=0)
    found[[2, 5]] = _measures(lambda sample: sample.mean(axis=0), first, second)
    if n >= FEWEST_MATCHED:
        resampled = _resampled(first, second, seed, n_resamples)
        left_out = _measures(lambda sample: (sample.sum(axis=0) - sample) / (n - 1), first, second)
        for row, drawn, without, size in zip((2, 5), resampled, left_out, _sizes(first, second), strict=True):
            found[row + 1 : row + 3] = bca_bounds(found[row], drawn, without, confidence_level, size=size)
        found[8] = sign_flip_p(first - second, seed=seed, n_resamples=n_resamples)
    found[5:8] = np.exp(found[5:8])
    return found


def sign_flip_p(differences: Array, *, seed: int, n_resamples: int) -> Array:
    """Two-sided p-values of "each difference is as likely with the other sign", by the size of their sum.

    The share of sign patterns whose sum is at least as large in size as the observed one. All 2^n patterns are tried
    if there are at most `n_resamples` (exact; at the default up to 13 prompts), else `n_resamples` random ones and the
    observed one. So no p-value is below 2^(1-n) or 1/(n_resamples+1): five prompts cannot give less than 1/16.
    Sources: Fisher (1935), section 21; Phipson and Smyth (2010) for the random patterns.

    Args:
        differences: [n, q]; all quantities share the patterns.
        seed: of the random patterns.
        n_resamples: number of patterns.

    Returns:
        [q], above 0 and at most 1; 1 where all differences are zero. NaN for fewer than two prompts, and where a
        difference is not finite.
    """
    n, n_quantities = differences.shape
    if n < FEWEST_MATCHED:
        return np.full(n_quantities, np.nan)
    is_exact = 2**n <= n_resamples
    is_finite = np.isfinite(differences).all(axis=0)
    differences = np.where(is_finite, np.ldexp(differences, -math.frexp(n)[1]), 0.0)  # a sum of them is in range
    observed = np.abs(differences.sum(axis=0)) - _ROUNDING * np.abs(differences).sum(axis=0)
    n_extreme, n_patterns = np.zeros(n_quantities), 0
    for signs in _all_signs(n) if is_exact else _random_signs(n, n_resamples, seed):
        n_extreme += (np.abs(signs @ differences) >= observed).sum(axis=0)
        n_patterns += len(signs)
    p = n_extreme / n_patterns if is_exact else (n_extreme + 1) / (n_patterns + 1)
    return np.where(is_finite, p, np.nan)


def _all_signs(n: int) -> Iterator[Array]:
    """Every pattern of n signs with the first one positive, [2^(n-1), n]; the others give the same sizes of sums."""
    bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)
    yield np.where(bits[:, ::-1] & 1, -1.0, 1.0)


def _random_signs(n: int, n_patterns: int, seed: int) -> Iterator[Array]:
    """Random patterns of n signs, [at most a batch, n] each."""
    rng, batch = np.random.default_rng(seed), batch_size(n)
    for start in range(0, n_patterns, batch):
        yield np.where(rng.integers(0, 2, (min(batch, n_patterns - start), n)), -1.0, 1.0)


def _resampled(first: Array, second: Array, seed: int, n_resamples: int) -> Array:
    """Both measures of every bootstrap sample, [2, r, q]; weights are drawn a batch at a time."""
    rng, n = np.random.default_rng(seed), len(first)
    sizes = [min(batch_size(n), n_resamples - start) for start in range(0, n_resamples, batch_size(n))]
    drawn = (draw_weights(rng, n, size) for size in sizes)
    return np.concatenate([_measures(partial(np.matmul, weights), first, second) for weights in drawn], axis=1)


def _sizes(first: Array, second: Array) -> tuple[Array, Array]:
    """Sizes [q] of the numbers behind both measures; of a logarithm, at least 1, the size of its relative error."""
    largest = np.maximum(np.abs(first), np.abs(second)).max(axis=0)
    return largest, np.maximum(1.0, np.abs(np.log(np.where(largest > 0, largest, 1.0))))


def _measures(mean: Callable[[Array], Array], first: Array, second: Array) -> Array:
    """Difference of the means and logarithm of their ratio, [2, ..., q], with a mean of [n, q] that gives [..., q]."""
    has_ratio = (first > 0).all(axis=0) & (second > 0).all(axis=0)
    log_first, log_second = (np.log(np.where(has_ratio, mean(sample), np.nan)) for sample in (first, second))
    return np.stack([mean(first - second), log_first - log_second])
