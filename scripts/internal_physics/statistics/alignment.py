"""How much two kernels over the same items agree, and whether a kernel follows a grouping of its items.

A kernel is [N, N], symmetric, its entries inner products. Centred, H·K·H with H = 1 − 11ᵀ/N, it does not change if all
items move together.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from internal_physics.ground.status import OK
from internal_physics.statistics.alignment_statuses import NO_PAIR, ONE_GROUP, TOO_FEW_ITEMS, UNDEFINED

FEWEST_ITEMS = 4  # with 3, any two centred kernels without a diagonal are proportional
_NUMBERS_AT_ONCE = 2**23
_MANY = 1000  # items whose label kernels are not built
_ROUNDING = 1e-12


class GroupAlignment(NamedTuple):
    """Alignment of kernels with a grouping.

    Attributes:
        cka: [k] of each kernel with the kernel of the grouping, -1 to 1.
        debiased: [k] the same without diagonals.
        p: [k] share of re-labellings with at least this alignment, 1/(n_resamples + 1) to 1.
        status: "ok", or why there are no numbers; they are NaN then.
    """

    cka: NDArray[np.float64]
    debiased: NDArray[np.float64]
    p: NDArray[np.float64]
    status: str


def centred(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """H·K·H: every row and every column sums to 0."""
    rows = kernel - kernel.mean(axis=-1, keepdims=True)
    return rows - rows.mean(axis=-2, keepdims=True)


def centred_off_diagonal(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernel without its diagonal, every row of it summing to 0 (U-centred), for N ≥ 3.

    Source: Székely and Rizzo (2014); its inner product is the unbiased HSIC of Song et al. (2012), up to a factor.
    """
    n = kernel.shape[-1]
    off = kernel * (1.0 - np.eye(n))
    sums = off.sum(axis=-1)
    centre = off - (sums[..., :, None] + sums[..., None, :]) / (n - 2)
    centre = centre + sums.sum(axis=-1)[..., None, None] / ((n - 1) * (n - 2))
    return centre * (1.0 - np.eye(n))


def debiased_alignment(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """CKA without diagonals, -1 to 1: near 0 for kernels that have nothing in common, however few items there are.

    The diagonals of two cosine kernels are equal, so that with few items CKA itself is near 1 whatever the rest is.
    NaN with fewer than 4 items, and where a kernel is constant beside its diagonal. Source: Nguyen et al. (2021).

    Raises:
        ValueError: if the two have different shapes.
    """
    return _cosine(first, second, centred_off_diagonal)


def centred_alignment(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """CKA: the cosine between two centred kernels, as vectors of N² numbers; 0 to 1 for positive semi-definite ones.

    NaN with fewer than 4 items, and where a kernel is constant. It has a bias: kernels of few items that have nothing
    in common are not at 0, see `debiased_alignment`. Source: Kornblith et al. (2019); Cortes et al. (2012).

    Raises:
        ValueError: if the two have different shapes.
    """
    return _cosine(first, second, centred)


def _cosine(first: NDArray, second: NDArray, centre: Callable[[NDArray], NDArray]) -> float:
    if first.shape != second.shape:
        raise ValueError(f"kernels of shapes {first.shape} and {second.shape}")
    if len(first) < FEWEST_ITEMS:
        return math.nan
    a, b = centre(first), centre(second)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    is_constant = size <= _ROUNDING * float(np.linalg.norm(first) * np.linalg.norm(second))
    return math.nan if is_constant else max(-1.0, min(1.0, float(np.sum(a * b)) / size))


def align_with_groups(
    kernels: NDArray[np.float64], groups: Sequence[str], *, seed: int, n_resamples: int
) -> GroupAlignment:
    """Centred alignment of each kernel with that of a grouping (1 for two items of one group, else 0).

    The p-value is one-sided: the share of `n_resamples` random re-labellings of the items, the observed one included,
    whose alignment is at least the observed one. All kernels get the same re-labellings.

    Args:
        kernels: [k, N, N].
        groups: [N] the group of each item.
        seed: of the re-labellings.
        n_resamples: how many.
    """
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    missing = np.full(len(kernels), math.nan)
    if why := _why_undefined(len(codes), len(names)):
        return GroupAlignment(missing, missing, missing, why)
    same = (codes[:, None] == codes[None, :]).astype(np.float64)
    debiased = np.array([debiased_alignment(kernel, same) for kernel in kernels])
    label_kernel = centred(same)
    flat = centred(kernels).reshape(len(kernels), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = flat / (np.linalg.norm(flat, axis=1) * np.linalg.norm(label_kernel))[:, None]
    observed = _aligned(unit, codes[None])[0]
    random = np.random.default_rng(seed)
    n_above = np.zeros(len(kernels))
    step = max(1, _NUMBERS_AT_ONCE // len(codes) ** 2)
    for start in range(0, n_resamples, step):
        drawn = random.permuted(np.tile(codes, (min(step, n_resamples - start), 1)), axis=1)
        n_above += (_aligned(unit, drawn) >= observed - 1e-12).sum(axis=0)
    p = np.where(np.isfinite(observed), (1 + n_above) / (1 + n_resamples), math.nan)
    return GroupAlignment(observed, debiased, p, OK if np.isfinite(observed).all() else UNDEFINED)


def _why_undefined(n_items: int, n_groups: int) -> str:
    if n_items < FEWEST_ITEMS:
        return TOO_FEW_ITEMS
    if n_groups < 2:
        return ONE_GROUP
    return NO_PAIR if n_groups == n_items else ""


def _aligned(unit: NDArray[np.float64], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    """[labelling, kernel] inner products with the kernel of each labelling; a centred kernel sees no constant.

    That of many items is not built: the product is the sum over groups g of hᵀ·U·h, where h marks the items of g.
    """
    n = codes.shape[1]
    if n <= _MANY:
        same = (codes[:, :, None] == codes[:, None, :]).reshape(len(codes), -1)
        return same.astype(np.float64) @ unit.T
    marks = [(own[:, None] == np.unique(own)).astype(np.float64) for own in codes]
    return np.array([[np.sum((kernel.reshape(n, n) @ mark) * mark) for kernel in unit] for mark in marks])
