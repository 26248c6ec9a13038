"""Sketches on the fly: a few numbers of the gradient of each matrix and prompt, while the backward pass runs.

Both factors are projected before they meet: Uᵀ G V = Σ_t (Uᵀ δ_t)(Vᵀ x_t)ᵀ, two thin products per use of a matrix for
all prompts together. Nothing is read back from the device before the end. Projections are made of packed signs, a
sixteenth of a number's memory for each, which are unpacked a slice of features at a time.

Index conventions: b prompt, n token, c column of a projection, j number of a sketch; see `records.projections`.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch.nn import functional

from internal_physics.models.anatomy import LinearMap
from internal_physics.recording.arrays import ToHost, to_device, to_numpy
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.packing import Packing
from internal_physics.recording.stacks import StackCall
from internal_physics.records.info import ParameterInfo
from internal_physics.records.projections import CELL, n_columns, packed_signs
from internal_physics.records.sketches import is_whole
from internal_physics.records.trace import GRADIENT_NORMS, SKETCHES, Key

T = TypeVar("T")
_FEATURES_AT_ONCE = 8192  # whose signs are unpacked together
_MOST_KEPT = 2**26  # bytes of packed signs that are kept for the next pass; others are made again


class SketchKeeper:
    """Collects sketches from the calls of one pass; several uses of a matrix add up.

    Args:
        packing: which rows of a call belong to which prompt.
        size: numbers of a sketch.
        seed: of the projections.
    """

    def __init__(self, packing: Packing, size: int, seed: int) -> None:
        self._packing, self._size, self._seed = packing, size, seed
        self._found: dict[str, torch.Tensor] = {}  # matrix → [b, j], on its device
        self._to_prompts: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}
        self._values: torch.Tensor | None = None  # [matrix, b, j]
        self._on_host: np.ndarray | None = None

    def add(self, call: Call) -> None:
        """Add a call whose output gradient has just arrived; its factors are left as they are."""
        name = call.map.parameter
        sketch = self._whole(call) if is_whole(call.map.shape, self._size) else self._projected(call)
        self._found[name] = self._found[name] + sketch if name in self._found else sketch

    def add_stack(self, call: StackCall) -> None:
        """Add a use of a stack of experts whose output gradient has just arrived; its factors are left as they are."""
        n_experts, n_prompts = call.rows.counts.shape
        gradient = _wide(call.caught_gradient)
        pairs = zip(call.rows.by_expert(call.input.to(gradient.dtype)), call.rows.by_expert(gradient), strict=True)
        cells = torch.cat([self._of_expert(call.stack.maps[e], given, own) for (e, given), (_, own) in pairs])
        segments = np.repeat(np.arange(n_experts * n_prompts), call.rows.counts.flatten())
        found = cells.new_zeros((n_experts * n_prompts, self._size))
        found.index_add_(0, to_device(torch.from_numpy(segments), cells.device), cells)
        for linear_map, sketch in zip(call.stack.maps, found.view(n_experts, n_prompts, -1), strict=True):
            self._found[linear_map.parameter] = sketch

    def finish(self, flow: Flow, to_host: ToHost) -> None:
        """Add the gradients that are kept whole, and start to read all sketches back at once."""
        for name, gradient in flow.dense.items():
            self._found[name] = self._of_dense(name, gradient.reshape(1, len(gradient), -1))
        for name, gradient in flow.dense_by_prompt.items():
            self._found[name] = self._of_dense(name, gradient.flatten(2))
        if self._found:
            first = next(iter(self._found.values()))
            self._values = to_host.start(torch.stack([s.to(first) for s in self._found.values()]))

    def tensors(self, infos: Sequence[ParameterInfo], b: int) -> dict[Key, np.ndarray]:
        """[weight, j] of prompt b: a row for each weight with a use, in the order of the infos."""
        row = {name: n for n, name in enumerate(self._found)}
        used = [row[info.name] for info in infos if info.uses]
        if self._on_host is None and self._values is not None:
            self._on_host = to_numpy(self._values).astype(np.float32, copy=False)
        found = np.zeros((0, self._size), np.float32) if self._on_host is None else self._on_host[used, b]
        return {SKETCHES: found}

    def _projected(self, call: Call) -> torch.Tensor:
        """Sketches of the prompts, [b, j], from both projected sides."""
        (first_out, first_in), (n_out, n_in) = call.first_features, call.n_features
        gradient = _wide(call.weight_side_gradient())
        of_out, of_in = (
            self._signs(call.map.parameter, side, n, gradient.device) for side, n in (("out", n_out), ("in", n_in))
        )
        if call.map.lookup:
            left = of_out.rows(call.caught_input, gradient.dtype)
            return self._sketch(left, of_in.project(gradient))
        given = call.caught_input.to(gradient.dtype)
        return self._sketch(of_out.project(gradient, first_out), of_in.project(given, first_in))

    def _of_expert(self, linear_map: LinearMap, given: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Sketches of the tokens of an expert, one by one, [s, j]."""
        n_out, n_in = linear_map.shape[::-1] if linear_map.transposed else linear_map.shape
        if is_whole(linear_map.shape, self._size):
            products = (gradient[:, :, None] * given[:, None, :]).flatten(1)
            return functional.pad(products, (0, self._size - n_out * n_in))
        of_out, of_in = (
            self._signs(linear_map.parameter, side, n, gradient.device) for side, n in (("out", n_out), ("in", n_in))
        )
        return _cells(of_out.project(gradient), of_in.project(given), self._size) / math.sqrt(self._size)

    def _sketch(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Cells of each prompt from both sides [n, c], summed over its tokens."""
        cells = _cells(left, right, self._size)
        if self._packing.shape[0] == 1:
            return cells.sum(dim=0, keepdim=True) / math.sqrt(self._size)
        return self._sum_by_prompt(cells) / math.sqrt(self._size)

    def _sum_by_prompt(self, rows: torch.Tensor) -> torch.Tensor:
        key = rows.device, rows.dtype
        if key not in self._to_prompts:
            starts = self._packing.starts
            members = torch.zeros(len(starts) - 1, starts[-1], dtype=rows.dtype)
            for b in range(len(members)):
                members[b, starts[b] : starts[b + 1]] = 1
            self._to_prompts[key] = to_device(members, rows.device)
        return self._to_prompts[key] @ rows

    def _whole(self, call: Call) -> torch.Tensor:
        """The gradients themselves, of a matrix of few numbers."""
        (first_out, first_in), (n_out, n_in) = call.first_features, call.n_features
        gradient = _wide(call.weight_side_gradient())
        if call.map.lookup:
            left, right = functional.one_hot(call.caught_input.long(), n_out).to(gradient.dtype), gradient
        else:
            left = _widened(gradient, first_out, n_out)
            right = _widened(call.caught_input.to(gradient.dtype), first_in, n_in)
        found = self._packing.by_prompt(left).mT @ self._packing.by_prompt(right)
        return functional.pad(found.flatten(1), (0, self._size - n_out * n_in))

    def _of_dense(self, name: str, gradient: torch.Tensor) -> torch.Tensor:
        """[b, j] of gradients that are kept whole, [b, out, in]."""
        matrices = _wide(gradient)
        _, n_out, n_in = matrices.shape
        if is_whole((n_out, n_in), self._size):
            return functional.pad(matrices.flatten(1), (0, self._size - n_out * n_in))
        left = self._signs(name, "out", n_out, matrices.device).rows(slice(None), matrices.dtype)
        of_in = self._signs(name, "in", n_in, matrices.device)
        found = [_cells(left, of_in.project(matrix), self._size).sum(dim=0) for matrix in matrices]
        return torch.stack(found) / math.sqrt(self._size)

    def _signs(self, weight: str, side: str, n_features: int, device: torch.device) -> "_Signs":
        return _all_signs(self._seed, n_columns(self._size), device).of(weight, side, n_features)


def in_turn(*take: Callable[[T], None]) -> Callable[[T], None]:
    """All of some functions, one after the other."""

    def each(given: T) -> None:
        for function in take:
            function(given)

    return each


def norm_array(infos: Sequence[ParameterInfo], norms: dict[Key, np.ndarray]) -> dict[Key, np.ndarray]:
    """All norms of a prompt as one tensor [weight], in the order of the infos that have a use."""
    found = [norms[Key(info.name, info.layer, "gradient_norm")] for info in infos if info.uses]
    return {GRADIENT_NORMS: np.array(found, dtype=np.float64)}


class _Signs:
    """The projection of one side of one matrix: packed signs [features, c / 8]."""

    def __init__(self, packed: torch.Tensor) -> None:
        self.packed = packed

    def rows(self, which: torch.Tensor | slice, dtype: torch.dtype) -> torch.Tensor:
        """[n, c]: the signs of some features."""
        chosen = self.packed[which].int()
        return functional.embedding(chosen, _table(dtype, chosen.device)).flatten(1)

    def project(self, factor: torch.Tensor, first: int = 0) -> torch.Tensor:
        """[n, features] → [n, c]; a part of a matrix has its features from `first` on."""
        total: torch.Tensor | None = None
        for start in range(0, factor.shape[1], _FEATURES_AT_ONCE):
            part = factor[:, start : start + _FEATURES_AT_ONCE]
            own = self.rows(slice(first + start, first + start + part.shape[1]), factor.dtype)
            total = part @ own if total is None else total.addmm_(part, own)
        assert total is not None
        return total


class _AllSigns:
    """The projections of a model, on its device; those that were made first are kept, up to `_MOST_KEPT` bytes."""

    def __init__(self, seed: int, columns: int, device: torch.device) -> None:
        self._seed, self._columns, self._device = seed, columns, device
        self._kept: dict[tuple[str, str, int], _Signs] = {}
        self._n_bytes = 0

    def of(self, weight: str, side: str, n_features: int) -> _Signs:
        """The signs of one side of a matrix."""
        found = self._kept.get((weight, side, n_features))
        if found is None:
            packed = packed_signs(self._seed, weight, side, n_features, self._columns)
            found = _Signs(to_device(torch.from_numpy(packed), self._device))
            if self._n_bytes + packed.nbytes <= _MOST_KEPT:
                self._n_bytes += packed.nbytes
                self._kept[weight, side, n_features] = found
        return found


@lru_cache(maxsize=2)
def _all_signs(seed: int, columns: int, device: torch.device) -> _AllSigns:
    return _AllSigns(seed, columns, device)


@lru_cache(maxsize=4)
def _table(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """[256, 8]: the eight signs of each byte."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return to_device(torch.from_numpy(bits.astype(np.float64) * 2 - 1).to(dtype), device)


def _cells(left: torch.Tensor, right: torch.Tensor, size: int) -> torch.Tensor:
    """[n, j]: outer products of the columns of each cell, those of all cells side by side, which is fastest."""
    shape = (len(left), CELL, -1)
    return (left.view(shape).unsqueeze(2) * right.view(shape).unsqueeze(1)).view(len(left), size)


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """In float32 or wider."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _widened(factor: torch.Tensor, first: int, width: int) -> torch.Tensor:
    own = factor.shape[-1]
    return factor if own == width else functional.pad(factor, (first, width - first - own))
