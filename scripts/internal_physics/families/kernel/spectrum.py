"""Eigenvalues of a kernel, what they say about its rank, and a map of its items. Pure.

An eigenvalue below zero is rounding (or the noise of a sketch) and counts as zero.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

FEW = 1000  # items whose eigenvectors are all computed
_TOLERANCE = 1e-6  # of an eigenvalue that is found by iteration
_ROUNDING = 1e-12


class PromptMap(NamedTuple):
    """Places of the items of a kernel in a plane.

    Attributes:
        places: [N, 2]; the sign of an axis is such that its largest place is positive.
        share: of the squared distances, which the two axes show, 0 to 1; NaN where all items coincide.
    """

    places: NDArray[np.float64]
    share: float


def eigenvalues(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] in descending order, none below zero; NaN throughout for a kernel that is not finite.

    Found in float64, in one copy: rounding in float32 would show in the small ones of many items.
    """
    if not len(kernel):
        return np.zeros(0)
    if not np.isfinite(kernel).all():
        return np.full(len(kernel), math.nan)
    copy = np.array(kernel, dtype=np.float64, order="F")
    return np.clip(scipy.linalg.eigvalsh(copy, driver="ev", overwrite_a=True, check_finite=False)[::-1], 0.0, None)


def shares(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value's share of their sum; NaN where that is zero."""
    total = values.sum()
    return values / total if total > 0 else np.full(len(values), math.nan)


def effective_rank(values: NDArray[np.float64]) -> float:
    """Exp of the entropy of the shares of eigenvalues: 1 for one direction, N for N equal ones; NaN without any.

    Source: Roy and Vetterli (2007).
    """
    p = shares(values)
    if not len(p) or math.isnan(p[0]):
        return math.nan
    p = p[p > 0]
    return float(np.exp(-np.sum(p * np.log(p))))


def prompt_map(kernel: NDArray) -> PromptMap:
    """Classical multidimensional scaling (kernel PCA) of a kernel to two dimensions.

    The squared distance of two items is K(p, p) + K(q, q) − 2 K(p, q): of a cosine kernel, 2 − 2 cos. Their sum over
    all pairs is N times the trace of the centred kernel. NaN throughout for a kernel that is not finite.
    """
    n = len(kernel)
    if not np.isfinite(kernel).all():
        return PromptMap(np.full((n, 2), math.nan), math.nan)
    if n == 0:
        return PromptMap(np.zeros((0, 2)), math.nan)
    centre = kernel - kernel.mean(axis=0, dtype=np.float64).astype(kernel.dtype)
    centre -= centre.mean(axis=1, keepdims=True, dtype=np.float64).astype(kernel.dtype)
    total = float(np.trace(centre, dtype=np.float64))
    values, vectors = _largest_two(centre)
    places = np.zeros((n, 2))
    places[:, : len(values)] = vectors * np.sqrt(values)
    signs = [np.sign(axis[np.argmax(np.abs(axis))]) or 1.0 for axis in places.T]
    share = min(1.0, float(values.sum()) / total) if total > _ROUNDING * float(np.trace(kernel)) else math.nan
    return PromptMap(places * np.array(signs), share)


def _largest_two(kernel: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two largest eigenvalues, none below zero, and their vectors, [N, 2]; one of a single item.

    All of a large kernel would take an hour: there the two are found by iteration.
    """
    if len(kernel) <= FEW:
        values, vectors = np.linalg.eigh(kernel)
    else:
        start = np.random.default_rng(0).standard_normal(len(kernel))
        as_given = LinearOperator(
            kernel.shape, matvec=lambda v: (kernel @ v.astype(kernel.dtype)).astype(np.float64), dtype=np.float64
        )
        values, vectors = eigsh(as_given, k=2, which="LA", v0=start, tol=_TOLERANCE)
    return np.clip(values[:-3:-1], 0.0, None), vectors[:, :-3:-1]
