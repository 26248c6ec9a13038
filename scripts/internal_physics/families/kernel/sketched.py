"""The tangent kernel estimated from sketches: unbiased, with the standard error of every entry.

Records are read once, and the sketches of more prompts than one block holds wait in a temporary file (4 bytes for each
number), so that memory holds the kernel and two blocks, whatever the number of prompts.

The cells of a sketch (see `records.projections`) are split into 16 groups of independent projections. Each group gives
an estimate of its own; the mean over groups is the kernel, and their spread gives its standard error, s / √16. The
entries of one kernel share their projections, so their errors are not independent of each other. Layers and kinds have
projections of their own, so their errors are. A matrix that a sketch keeps whole has no error, and the diagonal is
exact: the squared gradient norms.

A diagonal without error does not fit estimates beside it exactly: the smallest eigenvalues may be negative, by about
the standard error times the square root of the number of prompts.

Index conventions: p, q prompt; w weight; g group; j number of a sketch.
"""

import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from internal_physics.families.kernel.factors import Weight, weights_of
from internal_physics.families.kernel.parts import MOST_SPLIT, TOTAL, Cell, TangentKernel, number_type
from internal_physics.families.kernel.tangent_kernel import name_of
from internal_physics.ground.errors import StoreError
from internal_physics.records.projections import CELL
from internal_physics.records.sketches import is_whole, sketches
from internal_physics.records.trace import Trace

N_GROUPS = 16
_BYTES_AT_ONCE = 2**27  # sketches of a block of prompts


@dataclass(frozen=True)
class _Block:
    """The sketches of some prompts, [p, w, j] in float32, and the exact squared norms, [p, w]."""

    values: NDArray[np.float32]
    squared_norms: NDArray[np.float64]


def sketched_kernel(
    traces: Sequence[Trace], *, most_split: int = MOST_SPLIT, bytes_at_once: int = _BYTES_AT_ONCE
) -> TangentKernel:
    """The kernel between records of one model, of sketches and of factors, which are sketched in the same way.

    Args:
        traces: records of one model, at least one of sketches; they may be lazy and come from different jobs.
        most_split: kernels of more prompts are not split by layer and kind of map.
        bytes_at_once: of the sketches of a block of prompts; two blocks are in memory at once.

    Raises:
        StoreError: if a record keeps neither, or is of another model, or its sketches have another size or seed; if the
            temporary folder has no room.
    """
    size, seed = _size_and_seed(traces)
    weights = weights_of(traces, kept=("sketch", "factors"))
    n = len(traces)
    groups: Mapping[Cell, list[int] | slice] = _groups(weights) if n <= most_split else {TOTAL: slice(None)}
    cells, errors = ({cell: np.zeros((n, n), number_type("sketch", n)) for cell in groups} for _ in range(2))
    whole = np.array([is_whole(weight.map_shape, size) for weight in weights], dtype=bool)
    step = max(1, bytes_at_once // max(1, 4 * size * len(weights)))
    with _Spool([slice(start, min(start + step, n)) for start in range(0, n, step)], traces, weights, size, seed) as of:
        for rows, columns, left, right in of.pairs():
            for cell, members in groups.items():
                sides = (left.values[:, members], right.values[:, members])
                value, error = estimate(*sides, whole[members], number_type("sketch", n))
                if columns == rows:
                    np.fill_diagonal(value, left.squared_norms[:, members].sum(axis=1))
                    np.fill_diagonal(error, 0.0)
                cells[cell][rows, columns], cells[cell][columns, rows] = value, value.T
                errors[cell][rows, columns], errors[cell][columns, rows] = error, error.T
    return TangentKernel(tuple(map(name_of, traces)), cells, "sketch", errors)


class _Spool:
    """Blocks of prompts in memory, two at once; each record is read once, and the blocks are kept in a temporary file.

    Args:
        blocks: of places of the traces.
        traces, weights, size, seed: of the kernel.
    """

    def __init__(
        self, blocks: Sequence[slice], traces: Sequence[Trace], weights: Sequence[Weight], size: int, seed: int
    ) -> None:
        self.blocks, self.traces, self.weights, self.size, self.seed = blocks, traces, weights, size, seed
        self._norms: list[NDArray[np.float64]] = []

    def __enter__(self) -> "_Spool":
        self._file = tempfile.TemporaryFile()  # closed by __exit__
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def pairs(self) -> Iterator[tuple[slice, slice, _Block, _Block]]:
        """Every two blocks once, each with itself too: their places and what they hold."""
        for i, rows in enumerate(self.blocks):
            left = self._block(i)
            yield rows, rows, left, left
            for j in range(i + 1, len(self.blocks)):
                yield rows, self.blocks[j], left, self._block(j)

    def _block(self, number: int) -> _Block:
        """A block from the records, in their order the first time; later from the file."""
        if number < len(self._norms):
            return _Block(self._from_file(self.blocks[number]), self._norms[number])
        found = _read(self.traces[self.blocks[number]], self.weights, self.size, self.seed)
        self._norms.append(found.squared_norms)
        if len(self.blocks) > 1:
            self._to_file(found.values)
        return found

    def _to_file(self, values: NDArray[np.float32]) -> None:
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(values.data)
            self._file.flush()
        except OSError as error:
            n_bytes = 4 * len(self.traces) * len(self.weights) * self.size
            raise StoreError(
                f"cannot be written ({error})",
                where=tempfile.gettempdir(),
                expected=f"room for {n_bytes / 1e9:.2g} GB: the sketches of {len(self.traces)} prompts",
                todo="make room there, or set TMPDIR to another folder",
            ) from error

    def _from_file(self, places: slice) -> NDArray[np.float32]:
        shape = (places.stop - places.start, len(self.weights), self.size)
        self._file.seek(4 * places.start * math.prod(shape[1:]))
        return np.fromfile(self._file, np.float32, math.prod(shape)).reshape(shape)


def estimate(
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    whole: NDArray[np.bool_],
    number: type[np.floating] = np.float64,
) -> tuple[NDArray, NDArray]:
    """Σ_w ⟨G_w, H_w⟩ of every two prompts, and its standard error, [p, q] each.

    Args:
        rows: [p, w, j] sketches.
        columns: [q, w, j].
        whole: [w] whether a sketch is the gradient itself.
        number: of the products.
    """
    exact = _flat(rows[:, whole], number) @ _flat(columns[:, whole], number).T
    left, right = (side[:, ~whole] if whole.any() else side for side in (rows, columns))
    mean, squares = np.zeros_like(exact), np.zeros_like(exact)
    for g in range(N_GROUPS):  # of Welford: neither all groups in memory, nor a difference of large numbers
        own = N_GROUPS * (_group(left, g, number) @ _group(right, g, number).T)
        change = own - mean
        mean += change / (g + 1)
        squares += change * (own - mean)
    return exact + mean, np.sqrt(squares / (N_GROUPS - 1) / N_GROUPS)


def _group(sketched: NDArray[np.float32], g: int, number: type[np.floating]) -> NDArray:
    """[p, w, j] → [p, w · j / 16], the cells of one group: they share no projection with those of another."""
    n, n_weights, size = sketched.shape
    by_cell = sketched.reshape(n, n_weights, CELL * CELL, N_GROUPS, size // (CELL * CELL * N_GROUPS))
    return _flat(by_cell[:, :, :, g], number)


def _flat(values: NDArray[np.float32], number: type[np.floating]) -> NDArray:
    return values.reshape(len(values), -1).astype(number)


def _groups(weights: Sequence[Weight]) -> Mapping[Cell, list[int] | slice]:
    """Layer and kind → places of its weights."""
    found: dict[Cell, list[int]] = {}
    for place, weight in enumerate(weights):
        found.setdefault(Cell(weight.layer, weight.kind), []).append(place)
    return found


def _read(traces: Sequence[Trace], weights: Sequence[Weight], size: int, seed: int) -> _Block:
    place = {weight.name: w for w, weight in enumerate(weights)}
    values = np.zeros((len(traces), len(weights), size), dtype=np.float32)
    squared_norms = np.zeros((len(traces), len(weights)))
    for p, trace in enumerate(traces):
        own = sketches(trace, size, seed)
        at = [place[name] for name in own.names]
        values[p, at] = own.values
        squared_norms[p, at] = np.square([trace.gradient_norm(name) for name in own.names])
    return _Block(values, squared_norms)


def _size_and_seed(traces: Sequence[Trace]) -> tuple[int, int]:
    """Those of the first record of sketches; `sketches` refuses others."""
    for trace in traces:
        if trace.info.weight_gradients == "sketch":
            return trace.info.sketch_size, trace.info.sketch_seed
    raise StoreError(
        "no record keeps sketches of weight gradients",
        expected="at least one",
        todo="set weight_gradients: sketch for a prompt set, or use the exact kernel of factors",
    )
