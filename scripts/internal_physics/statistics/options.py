"""Options of intervals and p-values."""

from dataclasses import dataclass
from typing import Annotated

from internal_physics.ground.options import Range, Share


@dataclass(frozen=True)
class StatisticsOptions:
    """How intervals and p-values are computed.

    Attributes:
        confidence_level: level of every confidence interval.
        n_resamples: bootstrap resamples per interval, and permutations per p-value.
    """

    confidence_level: Share = 0.95
    n_resamples: Annotated[int, Range(minimum=99)] = 9999


CONFIDENCE_LEVEL = StatisticsOptions.confidence_level
N_RESAMPLES = StatisticsOptions.n_resamples
