"""What every table of solved problems has: columns, and means over solutions of which there may be none."""

import math
from collections.abc import Sequence

from internal_physics.tables.columns import Column

ACCURACY = Column("float64", "1", "share of solutions whose every step is right", low=0, high=1)
UNNECESSARY_PARAMETERS = Column(
    "float64", "parameters", "mean number in a correct solution that the answer does not need", low=0
)
RETRIES = Column("float64", "retries", "mean number of parameters taken back, up to the first error", low=0)


def mean_of(numbers: Sequence[float]) -> float:
    """The mean; NaN of no numbers, as where no solution is correct."""
    return sum(numbers) / len(numbers) if numbers else math.nan
