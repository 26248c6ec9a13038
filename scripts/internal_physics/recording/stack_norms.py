"""Exact gradient norms of all experts of a stack at once, for each prompt.

Rows of an expert and prompt stand together. They are put into blocks of about equal size, several experts in one, so
that few products give all inner products that are needed, whatever the number of experts.

Index conventions: s row, e expert, b prompt, as in `stacks`; m block, r row of a block.
"""

from dataclasses import dataclass

import numpy as np
import torch

from internal_physics.recording.arrays import to_device
from internal_physics.recording.norms import NormKeeper
from internal_physics.recording.row_products import inner_products, product_dtype
from internal_physics.recording.stacks import RoutedRows, StackCall

_ONE_BLOCK = 128  # rows that make no second block
_SMALLEST_BLOCK = 16  # rows; smaller ones make products of more matrices


@dataclass(frozen=True)
class _Blocks:
    """Where the rows of a stack are in padded blocks.

    Attributes:
        shape: (m, r).
        places: [s], place of each row in the flattened blocks; None if there is one block without padding.
        segments: [m, r], number e·b of expert and prompt of each row; padding has none of them.
    """

    shape: tuple[int, int]
    places: torch.Tensor | None
    segments: torch.Tensor

    def padded(self, rows: torch.Tensor) -> torch.Tensor:
        """[s, i] → [m, r, i], zero at padding."""
        if self.places is None:
            return rows[None]
        filled = rows.new_zeros((self.shape[0] * self.shape[1], rows.shape[1])).index_copy_(0, self.places, rows)
        return filled.view(*self.shape, -1)


def add_norms(norms: NormKeeper, call: StackCall) -> None:
    """Add the norms of a use of a stack whose output gradient has just arrived, and drop its factors."""
    products = norms.products or product_dtype(call.caught_gradient)
    norms.add_stack([m.parameter for m in call.stack.maps], stack_squared(call, products))
    call.release()


def stack_squared(call: StackCall, products: torch.dtype) -> torch.Tensor:
    """‖Σ_s δ_s ⊗ x_s‖² of each expert and prompt, and the sum of the sizes of its terms, in float64, [e, 2, b].

    Args:
        call: a use of a stack, with its output gradient.
        products: number format of the products; sums are in float64.
    """
    given, gradient = call.input, call.caught_gradient
    n_in, n_out = given.shape[1], gradient.shape[1]
    if int(call.rows.counts.max()) * (n_in + n_out) > n_in * n_out:
        return _by_dense_gradients(call, products)
    blocks = _blocks(call.rows, given.device)
    terms = _gram(blocks.padded(given), products) * _gram(blocks.padded(gradient), products)
    terms = terms * (blocks.segments[:, :, None] == blocks.segments[:, None, :])
    totals = _by_segment(terms, blocks, call.rows)
    sizes = totals if products == torch.float64 else _by_segment(terms.abs(), blocks, call.rows)
    return torch.stack([totals, sizes], dim=1)


def _by_segment(terms: torch.Tensor, blocks: _Blocks, rows: RoutedRows) -> torch.Tensor:
    """[m, r, r] → sums [e, b]."""
    found = terms.new_zeros(rows.counts.size + 1)  # the last is of padding
    return found.index_add_(0, blocks.segments.flatten(), terms.sum(dim=2).flatten())[:-1].view(rows.counts.shape)


def _gram(padded: torch.Tensor, products: torch.dtype) -> torch.Tensor:
    return inner_products(padded, padded, products)


def _by_dense_gradients(call: StackCall, products: torch.dtype) -> torch.Tensor:
    """As `stack_squared`, for experts that are given more rows than their matrices have columns."""
    n_experts, n_prompts = call.rows.counts.shape
    given, gradient = call.input, call.caught_gradient
    found = torch.zeros((n_experts, n_prompts), dtype=torch.float64, device=given.device)
    for b in range(n_prompts):
        for e, first, end in call.rows.of_prompt(b):
            dense = gradient[first:end].to(products).T @ given[first:end].to(products)
            found[e, b] = torch.linalg.vector_norm(dense, dtype=torch.float64).square()
    return found[:, None].expand(-1, 2, -1)


def _blocks(rows: RoutedRows, device: torch.device) -> _Blocks:
    """Neighbouring experts and prompts, as many in a block as there is room for; the same for all stacks of a block."""
    if rows.blocks is None:
        rows.blocks = _make_blocks(rows.counts.flatten(), device)
    found: _Blocks = rows.blocks
    return found


def _make_blocks(counts: np.ndarray, device: torch.device) -> _Blocks:
    """Blocks of segments with so many rows each."""
    n_rows = int(counts.sum())
    size = n_rows if n_rows <= _ONE_BLOCK else max(_SMALLEST_BLOCK, int(counts.max()))
    used = np.flatnonzero(counts)
    first, block, room = np.empty(len(used), dtype=np.int64), 0, size
    for i, n in enumerate(counts[used].tolist()):
        if n > room:
            block, room = block + 1, size
        first[i] = block * size + size - room
        room -= n
    if block == 0:
        return _Blocks((1, n_rows), None, to_device(torch.from_numpy(np.repeat(used, counts[used])), device)[None])
    before = counts[used].cumsum() - counts[used]
    places = np.arange(n_rows) + np.repeat(first - before, counts[used])
    segments = np.full((block + 1) * size, len(counts), dtype=np.int64)
    segments[places] = np.repeat(used, counts[used])
    found = to_device(torch.from_numpy(segments), device).view(block + 1, size)
    return _Blocks((block + 1, size), to_device(torch.from_numpy(places), device), found)
