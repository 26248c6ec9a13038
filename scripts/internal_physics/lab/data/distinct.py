"""Distinct random numbers out of a large range, without a list of the range."""

import numpy as np


def first_distinct(n: int, size: int, draws: np.random.Generator) -> np.ndarray:
    """The first n distinct of a stream of uniform numbers below `size`, int64 [n], in the order of the stream.

    A larger n only adds numbers at the end. It is slow where n is nearly `size`.

    Raises:
        ValueError: for more numbers than there are.
    """
    if n > size:
        raise ValueError(f"{n} distinct numbers below {size}")
    block, found = max(1024, n // 4), np.empty(0, dtype=np.int64)
    while len(found) < n:
        found = np.concatenate([found, draws.integers(0, size, size=block)])
        _, where = np.unique(found, return_index=True)
        found = found[np.sort(where)]
    return found[:n]


def first_distinct_rows(n: int, values: int, width: int, draws: np.random.Generator) -> np.ndarray:
    """The first n distinct rows of a stream of rows, int64 [n, width], of uniform numbers below `values`."""
    found = np.empty((0, width), dtype=np.int64)
    while len(found) < n:
        found = np.concatenate([found, draws.integers(0, values, size=(max(64, n), width))])
        _, where = np.unique(found, axis=0, return_index=True)
        found = found[np.sort(where)]
    return found[:n]
