"""Data options of the lab's experiment `rows`. No heavy imports."""

from dataclasses import dataclass

from internal_physics.ground.options import Count, Text


@dataclass(frozen=True)
class RowsData:
    """Rows of words from a file, one row a line, read again and again in a new order.

    Attributes:
        file: a text file; words are separated by blanks.
        exposures: how often each row is read.
        rows_per_step: rows of one training step.
    """

    file: Text
    exposures: Count = 100
    rows_per_step: Count = 8
