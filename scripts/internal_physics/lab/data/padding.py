"""Rows of tokens of unequal length as one array."""

from collections.abc import Sequence

import numpy as np

from internal_physics.lab.data.vocabulary import PADDING_ID


def padded(rows: Sequence[Sequence[int] | np.ndarray], filling: int = PADDING_ID) -> np.ndarray:
    """[rows, longest row] int64: each row from its first token on, then `filling`.

    Raises:
        ValueError: for no rows.
    """
    found = np.full((len(rows), max(map(len, rows))), filling, dtype=np.int64)
    for place, row in zip(found, rows, strict=True):
        place[: len(row)] = row
    return found
