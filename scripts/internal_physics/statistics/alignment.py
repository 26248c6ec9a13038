"""How much two kernels over the same items agree, and whether a kernel follows a grouping of its items.

A kernel is [N, N], symmetric, its entries inner products. Centred, H·K·H with H = 1 − 11ᵀ/N, it does not change if all
items move together.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from internal_physics.ground.status import OK
from internal_physics.statistics.alignment_statuses import NO_PAIR, ONE_GROUP, TOO_FEW_ITEMS, UNDEFINED

FEWEST_ITEMS = 4  # with 3, any two centred kernels without a diagonal are proportional
_NUMBERS_AT_ONCE = 2**23
_NUMBERS_OF_ROWS = 2**22
_MANY = 1000  # items whose label kernels are not built
_FEW_GROUPS = 30  # whose sums over pairs are taken by products: of more, the pairs of one group are few
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


def debiased_alignment(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """CKA without diagonals, -1 to 1: near 0 for kernels that have nothing in common, however few items there are.

    The diagonals of two cosine kernels are equal, so that with few items CKA itself is near 1 whatever the rest is.
    NaN with fewer than 4 items, and where a kernel is constant beside its diagonal or not finite. Source: Nguyen et
    al. (2021).

    Raises:
        ValueError: if the two have different shapes.
    """
    return _cosine(first, second, _CentreOffDiagonal)


def centred_alignment(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """CKA: the cosine between two centred kernels, as vectors of N² numbers; 0 to 1 for positive semi-definite ones.

    NaN with fewer than 4 items, and where a kernel is constant or not finite. It has a bias: kernels of few items that
    have nothing in common are not at 0, see `debiased_alignment`. Source: Kornblith et al. (2019); Cortes et al.
    (2012).

    Raises:
        ValueError: if the two have different shapes.
    """
    return _cosine(first, second, _Centre)


def _cosine(first: NDArray, second: NDArray, centre: "Callable[[NDArray], _Centre | _CentreOffDiagonal]") -> float:
    """Of the two centred kernels, some rows at a time."""
    if first.shape != second.shape:
        raise ValueError(f"kernels of shapes {first.shape} and {second.shape}")
    if len(first) < FEWEST_ITEMS:
        return math.nan
    squares, product = np.zeros(4), 0.0
    with np.errstate(invalid="ignore", over="ignore"):  # of a kernel that is not finite
        of_first, of_second = centre(first), centre(second)
        for rows in row_blocks(len(first)):
            a, b = of_first.rows(rows), of_second.rows(rows)
            squares += [np.sum(np.square(k, dtype=np.float64)) for k in (a, b, first[rows], second[rows])]
            product += float(np.sum(a * b))
        centred_a, centred_b, a_size, b_size = np.sqrt(squares)
        size = float(centred_a * centred_b)
    is_constant = size <= _ROUNDING * float(a_size * b_size)
    if is_constant or not math.isfinite(size):
        return math.nan
    return max(-1.0, min(1.0, product / size))


class _Centre:
    """Rows of the centred kernel, as `centred` gives them all."""

    def __init__(self, kernel: NDArray) -> None:
        self.kernel = kernel
        self.means = kernel.mean(axis=1, dtype=np.float64)

    def rows(self, rows: slice) -> NDArray[np.float64]:
        """[rows, N]."""
        return self.kernel[rows] - self.means[rows, None] - self.means + self.means.mean()


class _CentreOffDiagonal:
    """Rows of the kernel without its diagonal, every row summing to 0 (U-centred), for N ≥ 3.

    Source: Székely and Rizzo (2014); its inner product is the unbiased HSIC of Song et al. (2012), up to a factor.
    """

    def __init__(self, kernel: NDArray) -> None:
        self.kernel = kernel
        self.sums = kernel.sum(axis=1, dtype=np.float64) - np.diagonal(kernel)

    def rows(self, rows: slice) -> NDArray[np.float64]:
        """[rows, N]."""
        n = len(self.kernel)
        found = self.kernel[rows] - (self.sums[rows, None] + self.sums) / (n - 2)
        found += self.sums.sum() / ((n - 1) * (n - 2))
        found[np.arange(len(found)), np.arange(n)[rows]] = 0.0
        return found


def row_blocks(n: int) -> Iterator[slice]:
    """Consecutive rows of [n, n], together all, of at most some 30 MB in float64."""
    step = max(1, _NUMBERS_OF_ROWS // max(1, n))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def align_with_groups(
    kernels: Sequence[NDArray], groups: Sequence[str], *, seed: int, n_resamples: int
) -> GroupAlignment:
    """Centred alignment of each kernel with that of a grouping (1 for two items of one group, else 0).

    The p-value is one-sided: the share of `n_resamples` random re-labellings of the items, the observed one included,
    whose alignment is at least the observed one. All kernels get the same re-labellings. Beside the kernels, memory
    holds one more of their size if there are more than 1,000 items, and otherwise some more of each.

    Args:
        kernels: k of [N, N], in float32 or float64.
        groups: [N] the group of each item.
        seed: of the re-labellings.
        n_resamples: how many.
    """
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    missing = np.full(len(kernels), math.nan)
    if why := _why_undefined(len(codes), len(names)):
        return GroupAlignment(missing, missing, missing, why)
    same = codes[:, None] == codes[None, :]
    debiased = np.array([debiased_alignment(kernel, same) for kernel in kernels])
    observed = np.array([centred_alignment(kernel, same) for kernel in kernels])
    del same
    is_defined = np.isfinite(observed)
    tested = [kernel for kernel, has_value in zip(kernels, is_defined, strict=True) if has_value]
    if len(codes) <= _MANY:
        n_above = _above(np.array(tested), codes, seed, n_resamples) if tested else np.zeros(0)
    else:
        n_above = np.array([_above_of_many(kernel, codes, seed, n_resamples) for kernel in tested])
    p = missing.copy()
    p[is_defined] = (1 + n_above) / (1 + n_resamples)
    return GroupAlignment(observed, debiased, p, OK if is_defined.all() else UNDEFINED)


def _above(kernels: NDArray[np.float64], codes: NDArray[np.intp], seed: int, n_resamples: int) -> NDArray:
    """[k] how many re-labellings align with each kernel at least as much as the labels. A centred kernel sees no
    constant, so that of the labels is not centred.
    """
    flat = centred(kernels).reshape(len(kernels), -1)
    unit = flat / np.linalg.norm(flat, axis=1)[:, None]
    n = len(codes)
    random = np.random.default_rng(seed)

    def aligned(labels: NDArray[np.intp]) -> NDArray[np.float64]:
        same = (labels[:, :, None] == labels[:, None, :]).reshape(len(labels), -1)
        return same.astype(np.float64) @ unit.T / n

    observed, n_above = aligned(codes[None])[0], np.zeros(len(kernels))
    step = max(1, _NUMBERS_AT_ONCE // n**2)
    for start in range(0, n_resamples, step):
        drawn = random.permuted(np.tile(codes, (min(step, n_resamples - start), 1)), axis=1)
        n_above += (aligned(drawn) >= observed - _ROUNDING).sum(axis=0)
    return n_above


def _above_of_many(kernel: NDArray, codes: NDArray[np.intp], seed: int, n_resamples: int) -> int:
    """The same of one large kernel, by the sums over pairs of one group: no kernel of labels is built."""
    centre, unit = _Centre(kernel), np.empty_like(kernel)
    for rows in row_blocks(len(kernel)):
        unit[rows] = centre.rows(rows)
    norm = float(np.linalg.norm(unit)) * len(codes)
    drawn = _drawn(codes, seed, n_resamples)
    sums = _sums_within(unit, itertools.chain([codes], drawn), int(codes.max()) + 1)
    observed = next(sums)
    return sum(value >= observed - _ROUNDING * norm for value in sums)


def _drawn(codes: NDArray[np.intp], seed: int, n_resamples: int) -> Iterator[NDArray[np.intp]]:
    """Random re-labellings."""
    random = np.random.default_rng(seed)
    return (random.permuted(codes) for _ in range(n_resamples))


def _sums_within(kernel: NDArray, labellings: Iterator[NDArray[np.intp]], n_groups: int) -> Iterator[float]:
    """For each labelling the sum over all pairs of items of one group, in the cheaper way."""
    if n_groups > _FEW_GROUPS:
        yield from (_sum_within(kernel, codes) for codes in labellings)
        return
    n_at_once = max(1, _NUMBERS_OF_ROWS // (len(kernel) * n_groups))
    while some := list(itertools.islice(labellings, n_at_once)):
        yield from _sums_by_products(kernel, np.array(some), n_groups)


def _sums_by_products(kernel: NDArray, labellings: NDArray[np.intp], n_groups: int) -> list[float]:
    """The trace of Zᵀ·K·Z for every labelling, where Z [N, groups] says which item is in which group.

    In float64, some rows of K at a time and from the diagonal on, because K is symmetric.
    """
    is_in = labellings.T[:, :, None] == np.arange(n_groups)
    z = is_in.reshape(len(kernel), -1).astype(np.float64)
    totals = np.zeros(z.shape[1])
    for rows in row_blocks(len(kernel)):
        own = kernel[rows, rows.start :].astype(np.float64)
        own[:, len(own) :] *= 2.0  # the same numbers are below the diagonal
        totals += np.sum(z[rows] * (own @ z[rows.start :]), axis=0)
    return totals.reshape(len(labellings), n_groups).sum(axis=1).tolist()


def _sum_within(kernel: NDArray, codes: NDArray[np.intp]) -> float:
    """Sum over all pairs of items of one group."""
    order = np.argsort(codes, kind="stable")
    total = 0.0
    for places in np.split(order, np.cumsum(np.bincount(codes))[:-1]):
        step = max(1, _NUMBERS_OF_ROWS // max(1, len(places)))
        for start in range(0, len(places), step):
            total += float(kernel[places[start : start + step, None], places].sum(dtype=np.float64))
    return total


def _why_undefined(n_items: int, n_groups: int) -> str:
    if n_items < FEWEST_ITEMS:
        return TOO_FEW_ITEMS
    if n_groups < 2:
        return ONE_GROUP
    return NO_PAIR if n_groups == n_items else ""
