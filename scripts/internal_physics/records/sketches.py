"""Sketches of weight gradients: a few numbers of each, from which inner products are estimated; see `projections`.

A matrix of at most as many numbers as a sketch is kept whole, so that its inner products are exact.

Index conventions: w weight; j number of a sketch; t token; o output feature; i input feature.
"""

import math
from dataclasses import dataclass

import numpy as np

from internal_physics.ground.errors import StoreError
from internal_physics.records.gradients import DenseTerm, FactoredGradient, LookupTerm, Term
from internal_physics.records.info import ParameterInfo
from internal_physics.records.projections import CELL, n_columns, signs
from internal_physics.records.trace import SKETCHES, Trace


@dataclass(frozen=True)
class Sketches:
    """The sketches of all weights of one prompt that have a use.

    Attributes:
        names: [w] of the weights.
        values: [w, j]; the inner product of two rows of one weight is an estimate of that of its gradients.
    """

    names: tuple[str, ...]
    values: np.ndarray

    @property
    def rows(self) -> dict[str, int]:
        """Weight → its row."""
        return {name: w for w, name in enumerate(self.names)}


def is_whole(shape: tuple[int, ...], size: int) -> bool:
    """Whether a sketch of a matrix of this shape is the matrix itself."""
    return math.prod(shape) <= size


def sketches(trace: Trace, size: int | None = None, seed: int = 0) -> Sketches:
    """The sketches of a record: as they are kept, or computed from its factors.

    Args:
        trace: with weight_gradients sketch or factors.
        size: numbers of a sketch; for a record of sketches those that it has, for factors it must be given.
        seed: of the projections.

    Raises:
        StoreError: if the record keeps neither, or sketches of another size or seed.
    """
    info = trace.info
    used = tuple(p for p in info.parameters if p.uses)
    if info.weight_gradients == "sketch":
        if size is not None and (size, seed) != (info.sketch_size, info.sketch_seed):
            raise StoreError(
                f"the sketches of {info.prompt!r} have size {info.sketch_size} and seed {info.sketch_seed}",
                expected=f"size {size} and seed {seed}: only sketches of one kind can be compared",
                todo="record one of the two sets again",
            )
        return Sketches(tuple(p.name for p in used), trace.tensors[SKETCHES])
    if size is None:
        raise StoreError(
            f"the record of {info.prompt!r} keeps weight_gradients: {info.weight_gradients}, not sketches",
            expected="a record of sketches, or one of factors and the size of the sketches",
            todo="set weight_gradients: sketch for its prompt set and record again",
        )
    found = [sketch_of(trace.gradient(p.name), p, size, seed) for p in used]
    return Sketches(tuple(p.name for p in used), np.array(found, dtype=np.float32).reshape(len(used), size))


def sketch_of(gradient: FactoredGradient, info: ParameterInfo, size: int, seed: int) -> np.ndarray:
    """[j] of one gradient in float64, from products in the number format of the factors.

    In the order i, j, cell of its cells' entries; every sixteenth part of the cells is a group of its own.
    """
    if is_whole(info.shape, size):
        whole = gradient.dense().T if info.transposed else gradient.dense()
        return np.pad(whole.ravel(), (0, size - whole.size))
    n_out, n_in = info.shape[::-1] if info.transposed else info.shape
    columns = n_columns(size)
    of_out = signs(seed, info.name, "out", n_out, columns)
    of_in = signs(seed, info.name, "in", n_in, columns)
    parts = [_cells(*_projected(term, of_out, of_in)) for term in gradient.terms]
    return np.sum(parts, axis=0).ravel() / math.sqrt(size) if parts else np.zeros(size)


def _projected(term: Term, of_out: np.ndarray, of_in: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides of a term after projection, [t, columns]."""
    if isinstance(term, DenseTerm):
        return of_out, term.gradient @ of_in
    if isinstance(term, LookupTerm):
        return of_out[term.ids], term.output_gradient @ of_in
    return term.output_gradient @ of_out, term.input @ of_in


def _cells(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[CELL, CELL, cell]: the sum over tokens of the outer products of each cell's columns."""
    by_cell = [side.reshape(len(side), CELL, -1).astype(np.float64) for side in (left, right)]
    return np.einsum("tic,tjc->ijc", *by_cell)
