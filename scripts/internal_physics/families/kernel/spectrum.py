"""Eigenvalues of a kernel, what they say about its rank, and a map of its items. Pure.

An eigenvalue below zero is rounding (or the noise of a sketch) and counts as zero.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh

FEW = 1000  # items whose eigenvectors are all computed


class PromptMap(NamedTuple):
    """Places of the items of a kernel in a plane.

    Attributes:
        places: [N, 2]; the sign of an axis is such that its largest place is positive.
        share: of the squared distances, which the two axes show, 0 to 1; NaN where all items coincide.
    """

    places: NDArray[np.float64]
    share: float


def eigenvalues(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] in descending order, none below zero."""
    return np.clip(np.linalg.eigvalsh(kernel)[::-1], 0.0, None) if len(kernel) else np.zeros(0)


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


def prompt_map(kernel: NDArray[np.float64]) -> PromptMap:
    """Classical multidimensional scaling (kernel PCA) of a kernel to two dimensions.

    The squared distance of two items is K(p, p) + K(q, q) − 2 K(p, q): of a cosine kernel, 2 − 2 cos.
    """
    n = len(kernel)
    if n == 0:
        return PromptMap(np.zeros((0, 2)), math.nan)
    centre = kernel - kernel.mean(axis=0)
    centre -= centre.mean(axis=1, keepdims=True)
    values, vectors = _eigenvectors(centre)
    places = np.zeros((n, 2))
    k = min(2, n)
    places[:, :k] = vectors[:, :k] * np.sqrt(values[:k])
    signs = [np.sign(axis[np.argmax(np.abs(axis))]) or 1.0 for axis in places.T]
    total = float(values.sum())
    return PromptMap(places * np.array(signs), float(values[:2].sum()) / total if total > 0 else math.nan)


def _eigenvectors(kernel: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All eigenvalues, none below zero, and the vectors of at least the first two, in descending order.

    All vectors of a large kernel would take ten times as long as all values: there the two are found by iteration.
    """
    if len(kernel) <= FEW:
        values, vectors = np.linalg.eigh(kernel)
        return np.clip(values[::-1], 0.0, None), vectors[:, ::-1]
    start = np.random.default_rng(0).standard_normal(len(kernel))
    _, vectors = eigsh(kernel, k=2, which="LA", v0=start)
    return eigenvalues(kernel), vectors[:, ::-1]
