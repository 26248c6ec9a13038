"""Adjusting p-values so that the chance of even one false claim among many is bounded."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjust_family_wise(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values; NaN stays NaN in its place and does not count as a test.

    Where those below α are claimed, at least one false claim is made in at most a share α of runs, however the tests
    depend on each other. Source: Holm (1979).

    Args:
        p_values: [test] between 0 and 1, or NaN.

    Returns:
        [test] adjusted values, 0 to 1, none below its p-value. Empty for empty input.

    Raises:
        ValueError: a p-value lies outside 0 to 1, or the input is not one-dimensional.
    """
    p = np.array(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values has {p.ndim} dimensions: expected one, over tests")
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError("a p-value lies outside 0 to 1")
    ordered = tested[np.argsort(p[tested], kind="stable")]
    n_left = np.arange(tested.size, 0, -1)
    p[ordered] = np.maximum.accumulate(np.minimum(p[ordered] * n_left, 1.0))
    return p
