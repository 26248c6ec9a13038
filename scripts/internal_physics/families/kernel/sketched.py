"""The tangent kernel estimated from sketches: unbiased, with the standard error of every entry.

The cells of a sketch (see `records.projections`) are split into 16 groups of independent projections. Each group gives
an estimate of its own; the mean over groups is the kernel, and their spread gives its standard error, s / √16. The
entries of one kernel share their projections, so their errors are not independent of each other. Layers and kinds have
projections of their own, so their errors are. A matrix that a sketch keeps whole has no error, and the diagonal is
exact: the squared gradient norms.

A diagonal without error does not fit estimates beside it exactly: the smallest eigenvalues may be negative, by about
the standard error times the square root of the number of prompts.

Index conventions: p, q prompt; w weight; g group; j number of a sketch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from internal_physics.families.kernel.factors import Weight, weights_of
from internal_physics.families.kernel.parts import TOTAL, Cell, TangentKernel
from internal_physics.families.kernel.tangent_kernel import name_of
from internal_physics.ground.errors import StoreError
from internal_physics.records.projections import CELL
from internal_physics.records.sketches import is_whole, sketches
from internal_physics.records.trace import Trace

N_GROUPS = 16
MOST_SPLIT = 300  # prompts whose kernel is split by layer and kind; that of more is kept over all weights only
_BYTES_AT_ONCE = 2**28  # sketches of a block of prompts


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
        StoreError: if a record keeps neither, or is of another model, or its sketches have another size or seed.
    """
    size, seed = _size_and_seed(traces)
    weights = weights_of(traces, kept=("sketch", "factors"))
    n = len(traces)
    groups = _groups(weights) if n <= most_split else {TOTAL: list(range(len(weights)))}
    cells, errors = ({cell: np.zeros((n, n)) for cell in groups} for _ in range(2))
    step = max(1, bytes_at_once // max(1, 4 * size * len(weights)))
    blocks = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    whole = np.array([is_whole(weight.map_shape, size) for weight in weights], dtype=bool)
    for i, rows in enumerate(blocks):
        of_rows = _read(traces[rows], weights, size, seed)
        for columns in blocks[i:]:
            of_columns = of_rows if columns == rows else _read(traces[columns], weights, size, seed)
            for cell, members in groups.items():
                value, error = estimate(of_rows.values[:, members], of_columns.values[:, members], whole[members])
                if columns == rows:
                    np.fill_diagonal(value, of_rows.squared_norms[:, members].sum(axis=1))
                    np.fill_diagonal(error, 0.0)
                cells[cell][rows, columns], cells[cell][columns, rows] = value, value.T
                errors[cell][rows, columns], errors[cell][columns, rows] = error, error.T
    return TangentKernel(tuple(map(name_of, traces)), cells, "sketch", errors)


def estimate(
    rows: NDArray[np.float32], columns: NDArray[np.float32], whole: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ_w ⟨G_w, H_w⟩ of every two prompts, and its standard error, [p, q] each.

    Args:
        rows: [p, w, j] sketches.
        columns: [q, w, j].
        whole: [w] whether a sketch is the gradient itself.
    """
    exact = _flat(rows[:, whole]) @ _flat(columns[:, whole]).T
    left, right = (_by_group(side[:, ~whole]) for side in (rows, columns))
    mean, squares = np.zeros_like(exact), np.zeros_like(exact)
    for g in range(N_GROUPS):  # of Welford: neither all groups in memory, nor a difference of large numbers
        own = N_GROUPS * (_flat(left[g]) @ _flat(right[g]).T)
        change = own - mean
        mean += change / (g + 1)
        squares += change * (own - mean)
    return exact + mean, np.sqrt(squares / (N_GROUPS - 1) / N_GROUPS)


def _by_group(sketched: NDArray[np.float32]) -> NDArray[np.float32]:
    """[p, w, j] → [g, p, w · j / 16]: cells of a group share no projection with those of another."""
    n, n_weights, size = sketched.shape
    by_cell = sketched.reshape(n, n_weights, CELL * CELL, N_GROUPS, size // (CELL * CELL * N_GROUPS))
    return by_cell.transpose(3, 0, 1, 2, 4).reshape(N_GROUPS, n, n_weights * size // N_GROUPS)


def _flat(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return values.reshape(len(values), -1).astype(np.float64)


def _groups(weights: Sequence[Weight]) -> dict[Cell, list[int]]:
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
