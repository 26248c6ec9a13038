"""Bootstrap intervals of many means at once, over one set of prompts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from internal_physics.statistics.options import CONFIDENCE_LEVEL, N_RESAMPLES

_BATCH_ELEMENTS = 2**22  # resampled means held in memory at once: 32 MB of float64


class MeanIntervals(NamedTuple):
    """Means over prompts with their intervals, an array [column] each, in the unit of the data."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def mean_intervals(
    values: ArrayLike, *, seed: int, n_resamples: int = N_RESAMPLES, confidence_level: float = CONFIDENCE_LEVEL
) -> MeanIntervals:
    """Mean of every column over the prompts, with its percentile bootstrap interval.

    All columns share their resamples of the prompts, which makes thousands of intervals one matrix product. They are
    plain percentiles (Efron and Tibshirani 1993, chapter 13); for single scores see `bootstrap.mean_interval`.

    Args:
        values: [prompt, column]; a column with a value that is not finite gets the mean of its finite values, and no
            interval.
        seed: of the resampling.
        n_resamples: number of bootstrap samples.
        confidence_level: between 0 and 1, both excluded.

    Returns:
        Means and ends of the intervals; no interval (NaN) for a single prompt, all NaN for a column without a
        finite value.
    """
    table = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(table)
    count = finite.sum(axis=0)
    mean = np.where(count > 0, np.where(finite, table, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    low, high = np.full(mean.shape, np.nan), np.full(mean.shape, np.nan)
    whole = np.flatnonzero(finite.all(axis=0))
    n_prompts = len(table)
    if n_prompts < 2 or not whole.size:
        return MeanIntervals(mean, low, high)
    drawn = np.random.default_rng(seed).multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=n_resamples)
    shares = drawn / n_prompts
    tail = (1 - confidence_level) / 2
    step = max(1, _BATCH_ELEMENTS // n_resamples)
    for start in range(0, whole.size, step):
        columns = whole[start : start + step]
        # Relative to the mean, so that equal values give an interval of zero width and large values lose no digits.
        deviations = shares @ (table[:, columns] - mean[columns])
        low[columns], high[columns] = mean[columns] + np.quantile(deviations, [tail, 1 - tail], axis=0)
    return MeanIntervals(mean, low, high)
