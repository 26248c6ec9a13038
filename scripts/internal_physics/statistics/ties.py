"""Which resampled statistics tie with that of the sample."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-11  # relative to the numbers that a statistic is computed from


def are_tied(resampled: NDArray[np.float64], value: ArrayLike, size: ArrayLike) -> NDArray[np.bool_]:
    """Whether resampled statistics equal that of the sample, up to rounding.

    A resample that holds every prompt once gives the sample's own statistic, and so, over three prompts, do six in 27.
    Their sums run in another order, so the last bit is chance. BCa counts resamples below the value, and ties as half
    (Efron and Tibshirani 1993, section 14.3; scipy.stats.bootstrap does so for numbers that are equal to the last bit).

    Args:
        resampled: [r, ...].
        value: [...], of the sample.
        size: [...], of the numbers that the statistic is computed from; differences below 1e-11 of it are rounding.
    """
    return np.abs(resampled - np.asarray(value)) <= _ROUNDING * np.asarray(size)
