"""Inner products of the gradients of one weight, between many prompts at once, from their factors.

Two forms give the same numbers. *Token pairs* never build a gradient: ⟨G_p, G_q⟩ = Σ_ts (δ_t·δ_s)(x_t·x_s), with one
matrix product over the tokens of all prompts for each factor, and T²·(in + out) multiplications for two prompts.
*Dense* builds the gradients, a slice of their rows at a time: T·in·out multiplications for each prompt, and in·out for
two prompts. Short prompts are cheaper by pairs, long ones by matrices.

Everything is accumulated in float64, and the memory beside the factors stays below about 200 MB for prompts of up to
8,000 tokens. Index conventions: p, q prompt; t, s token; i input feature; o output feature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from internal_physics.records.terms import DenseTerm, LookupTerm, OuterTerm, Term

Form = Literal["pairs", "dense"]
Uses = tuple[Term, ...]  # of the weight by one prompt; none where the prompt did not reach it

_TOKENS_AT_ONCE = 512  # rows of a matrix over token pairs
_FEATURES_AT_ONCE = 8192  # of a wide factor, such as that of a vocabulary
_NUMBERS_AT_ONCE = 2**23  # of the gradients of all prompts, in the dense form
_PER_TOKEN_PAIR = 40  # what summing one token pair costs, in multiplications of a matrix product (measured)


def inner_products(
    rows: Sequence[Uses], columns: Sequence[Uses] | None, shape: tuple[int, int], form: Form | None = None
) -> NDArray[np.float64]:
    """[P, Q] inner products ⟨G_p, G_q⟩ of the gradients of one weight, over all pairs of its uses.

    Args:
        rows: [P] the uses of the weight by each prompt.
        columns: [Q] likewise; None for the rows with themselves, which costs half and is exactly symmetric.
        shape: (out, in) of the map.
        form: how; the cheaper one if not given.

    Returns:
        In float64. A prompt without uses has zeros; one whose factors are not finite has NaN or infinity.
    """
    chosen = form or cheaper_form(rows, rows if columns is None else columns, shape)
    with np.errstate(invalid="ignore", over="ignore"):
        if chosen == "pairs":
            return _by_pairs(_stack(rows, shape), None if columns is None else _stack(columns, shape))
        return _by_matrices(rows, columns, shape)


def cheaper_form(rows: Sequence[Uses], columns: Sequence[Uses], shape: tuple[int, int]) -> Form:
    """The form with fewer multiplications; dense where a use has no factors."""
    uses = [use for prompt in (*rows, *columns) for use in prompt]
    if any(isinstance(use, DenseTerm) for use in uses):
        return "dense"
    (n_mapped, n_tokens), (n_mapped_other, n_tokens_other) = _count_tokens(rows), _count_tokens(columns)
    n_out, n_in = shape
    pairs = n_mapped * n_mapped_other * n_out + n_tokens * n_tokens_other * (n_in + _PER_TOKEN_PAIR)
    dense = (n_mapped + n_mapped_other + len(rows) * len(columns)) * n_out * n_in
    return "pairs" if pairs <= dense else "dense"


def _count_tokens(prompts: Sequence[Uses]) -> tuple[int, int]:
    """Tokens that went through the weight as a map, and tokens in all."""
    mapped = sum(len(use.input) for uses in prompts for use in uses if isinstance(use, OuterTerm))
    looked_up = sum(len(use.ids) for uses in prompts for use in uses if isinstance(use, LookupTerm))
    return mapped, mapped + looked_up


# --- token pairs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """Factors of many prompts, one row per token, in the order of the prompts.

    Attributes:
        left: [t, out] output gradients, or [t] ids of a look-up, which stand for one-hot rows.
        right: [t, in].
        owner: [t] the prompt of each token.
    """

    left: NDArray
    right: NDArray
    owner: NDArray[np.intp]

    def part(self, start: int, stop: int | None) -> "_Rows":
        tokens = slice(start, stop)
        return _Rows(self.left[tokens], self.right[tokens], self.owner[tokens])


@dataclass(frozen=True)
class _Stack:
    """All factors of the prompts: of uses as a map, and of uses as a table."""

    n_prompts: int
    mapped: _Rows
    looked_up: _Rows


def _stack(prompts: Sequence[Uses], shape: tuple[int, int]) -> _Stack:
    n_out, n_in = shape
    uses = [(p, use) for p, of_prompt in enumerate(prompts) for use in of_prompt]
    mapped = [(p, use.output_gradient, use.input) for p, use in uses if isinstance(use, OuterTerm)]
    looked_up = [(p, use.ids, use.output_gradient) for p, use in uses if isinstance(use, LookupTerm)]
    empty_map = _Rows(np.zeros((0, n_out)), np.zeros((0, n_in)), np.zeros(0, np.intp))
    empty_table = _Rows(np.zeros(0, np.int64), np.zeros((0, n_in)), np.zeros(0, np.intp))
    return _Stack(len(prompts), _concatenated(mapped, empty_map), _concatenated(looked_up, empty_table))


def _concatenated(parts: list[tuple[int, NDArray, NDArray]], empty: _Rows) -> _Rows:
    if not parts:
        return empty
    owners, lefts, rights = zip(*parts, strict=True)
    for left, right in zip(lefts, rights, strict=True):
        _require_fit(left, right, empty)
    owner = np.repeat(np.array(owners, np.intp), [len(left) for left in lefts])
    return _Rows(np.concatenate(lefts), np.concatenate(rights), owner)


def _require_fit(left: NDArray, right: NDArray, empty: _Rows) -> None:
    fits = left.shape[1:] == empty.left.shape[1:] and right.shape[1:] == empty.right.shape[1:]
    if not fits or len(left) != len(right):
        raise ValueError(f"factors of shapes {left.shape} and {right.shape} do not fit the map")


def _by_pairs(rows: _Stack, columns: _Stack | None) -> NDArray[np.float64]:
    """All four blocks: map with map, table with table, and map with table both ways round."""
    if columns is None:
        mixed = _sum_pairs(rows.mapped, rows.looked_up, (rows.n_prompts, rows.n_prompts))
        return sum((_symmetric(part, rows.n_prompts) for part in (rows.mapped, rows.looked_up)), mixed + mixed.T)
    shape = rows.n_prompts, columns.n_prompts
    return (
        _sum_pairs(rows.mapped, columns.mapped, shape)
        + _sum_pairs(rows.looked_up, columns.looked_up, shape)
        + _sum_pairs(rows.mapped, columns.looked_up, shape)
        + _sum_pairs(columns.mapped, rows.looked_up, shape[::-1]).T
    )


def _symmetric(rows: _Rows, n_prompts: int) -> NDArray[np.float64]:
    """Rows with themselves: only pairs with the same or a later prompt are computed."""
    upper = np.triu(_sum_pairs(rows, rows, (n_prompts, n_prompts), only_later=True))
    return upper + np.triu(upper, 1).T


def _sum_pairs(rows: _Rows, columns: _Rows, shape: tuple[int, int], *, only_later: bool = False) -> NDArray[np.float64]:
    total = np.zeros(shape)
    for start in range(0, len(rows.owner) if len(columns.owner) else 0, _TOKENS_AT_ONCE):
        part = rows.part(start, start + _TOKENS_AT_ONCE)
        first = np.searchsorted(columns.owner, part.owner[0]) if only_later else 0
        rest = columns.part(int(first), None)
        products = _row_products(part.right, rest.right)
        products *= _left_products(part.left, rest.left)
        _add_by_owner(total, products, part.owner, rest.owner)
    return total


def _left_products(rows: NDArray, columns: NDArray) -> NDArray:
    """[t, s] inner products of left factors, of which ids stand for one-hot rows. `rows` are ids only if both are."""
    if columns.ndim > 1:
        return _row_products(rows, columns)
    return rows[:, None] == columns[None, :] if rows.ndim == 1 else rows[:, columns]


def _add_by_owner(total: NDArray, products: NDArray, rows: NDArray, columns: NDArray) -> None:
    """Add the sum over the tokens of two prompts to their entry; owners are sorted."""
    row_starts, column_starts = (np.flatnonzero(np.diff(owner, prepend=-1)) for owner in (rows, columns))
    sums = np.add.reduceat(np.add.reduceat(products, row_starts, axis=0), column_starts, axis=1)
    total[np.ix_(rows[row_starts], columns[column_starts])] += sums


def _row_products(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """All inner products of rows, [t, s], in float64; wide rows are converted in slices."""
    total = np.zeros((len(a), len(b)))
    for start in range(0, a.shape[1], _FEATURES_AT_ONCE):
        features = slice(start, start + _FEATURES_AT_ONCE)
        total += a[:, features].astype(np.float64) @ b[:, features].astype(np.float64).T
    return total


# --- dense -----------------------------------------------------------------------------------------


def _by_matrices(rows: Sequence[Uses], columns: Sequence[Uses] | None, shape: tuple[int, int]) -> NDArray[np.float64]:
    n_out, n_in = shape
    n_columns = len(rows) if columns is None else len(columns)
    total = np.zeros((len(rows), n_columns))
    step = max(1, _NUMBERS_AT_ONCE // max(1, (len(rows) + n_columns) * n_in))
    for start in range(0, n_out, step):
        stop = min(start + step, n_out)
        own = _gradients(rows, start, stop, shape)
        other = own if columns is None else _gradients(columns, start, stop, shape)
        total += own @ other.T
    return total if columns is not None else (total + total.T) / 2


def _gradients(prompts: Sequence[Uses], start: int, stop: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """[P, (stop - start)·in] rows start to stop of the gradient of every prompt."""
    found = np.zeros((len(prompts), stop - start, shape[1]))
    for gradient, uses in zip(found, prompts, strict=True):
        for use in uses:
            _add_use(gradient, use, start, stop, shape)
    return found.reshape(len(prompts), -1)


def _add_use(gradient: NDArray, use: Term, start: int, stop: int, shape: tuple[int, int]) -> None:
    if isinstance(use, DenseTerm):
        gradient += use.gradient[start:stop]
    elif isinstance(use, LookupTerm):
        inside = (use.ids >= start) & (use.ids < stop)
        np.add.at(gradient, use.ids[inside] - start, use.output_gradient[inside].astype(np.float64))
    else:
        if (use.output_gradient.shape[1], use.input.shape[1]) != shape:
            raise ValueError(f"factors of shapes {use.output_gradient.shape} and {use.input.shape} do not fit the map")
        gradient += use.output_gradient[:, start:stop].astype(np.float64).T @ use.input.astype(np.float64)
