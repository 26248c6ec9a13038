"""Adjusting the p-values of many tests, for the share of false claims or for the chance of even one.

A p-value is [test] between 0 and 1, or NaN, which stays NaN in its place and does not count as a test. Adjusted values
are 0 to 1, none below its p-value; empty input gives an empty result.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjust_false_discovery(p_values: ArrayLike) -> NDArray[np.float64]:
    """Benjamini-Hochberg adjusted p-values: of those below α, a share of at most α is false in the mean.

    Source: Benjamini and Hochberg (1995); valid for independent or positively dependent tests.

    Raises:
        ValueError: a p-value lies outside 0 to 1, or the input is not one-dimensional.
    """
    p, tested = _tested(p_values)
    descending = tested[np.argsort(p[tested], kind="stable")[::-1]]
    share_of_rank = tested.size / np.arange(tested.size, 0, -1)
    p[descending] = np.minimum.accumulate(np.minimum(p[descending] * share_of_rank, 1.0))
    return p


def adjust_family_wise(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values: where those below α are claimed, a share of at most α of runs has a false claim.

    Source: Holm (1979); valid however the tests depend on each other.

    Raises:
        ValueError: a p-value lies outside 0 to 1, or the input is not one-dimensional.
    """
    p, tested = _tested(p_values)
    ordered = tested[np.argsort(p[tested], kind="stable")]
    n_left = np.arange(tested.size, 0, -1)
    p[ordered] = np.maximum.accumulate(np.minimum(p[ordered] * n_left, 1.0))
    return p


def _tested(p_values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """A copy of the p-values, and the places of those that are no NaN."""
    p = np.array(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values has {p.ndim} dimensions: expected one, over tests")
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise ValueError("a p-value lies outside 0 to 1")
    return p, tested
