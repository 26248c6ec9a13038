"""scipy's intervals, to hold ours against."""

from typing import Any

import numpy as np
from scipy import stats

SEED = 3
RESAMPLING: dict[str, Any] = {"n_resamples": 999, "confidence_level": 0.9}


def paired_bca(first, second, statistic) -> tuple[float, float]:
    """Ends of the BCa interval of statistic(first, second, axis) over pairs; first and second are [n]."""
    interval = stats.bootstrap(
        (first, second),
        statistic,
        paired=True,
        vectorized=True,
        rng=np.random.default_rng(SEED),
        method="BCa",
        **RESAMPLING,
    ).confidence_interval
    return interval.low, interval.high
