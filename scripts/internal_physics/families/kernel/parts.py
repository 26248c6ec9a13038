"""A kernel between prompts, split into groups of weights. It knows neither records nor files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from internal_physics.ground.errors import StoreError

Source = Literal["factors", "sketch"]


class Cell(NamedTuple):
    """A group of weights whose kernel is kept: those of one layer and kind. None stands for all of them."""

    layer: int | None
    kind: str | None


TOTAL = Cell(None, None)
MOST_SPLIT = 300  # prompts whose kernel of sketches is split by layer and kind; of more, it is kept over all weights


class PromptName(NamedTuple):
    """A prompt, by its set and its name; the set is empty for a record that belongs to none."""

    prompt_set: str
    prompt: str


@dataclass(frozen=True, repr=False)
class TangentKernel:
    """The kernel of some prompts of one model, split into groups of weights.

    Attributes:
        prompts: [N] in the order of rows and columns.
        cells: group of weights -> [N, N] its part of the kernel, symmetric; float64, and float32 where an estimate is
            of so many prompts that it is not split, see `number_type`.
        source: factors (exact), or sketch (unbiased, with a standard error).
        standard_errors: group of weights -> [N, N] standard errors, float32 or float64; a group that is missing is
            exact.
    """

    prompts: tuple[PromptName, ...]
    cells: Mapping[Cell, NDArray]
    source: Source = "factors"
    standard_errors: Mapping[Cell, NDArray] = field(default_factory=dict)

    def __repr__(self) -> str:
        """How many prompts and groups of weights, not all numbers."""
        return f"TangentKernel({len(self.prompts):,} prompts, {len(self.cells)} groups of weights, from {self.source})"

    def matrix(self, layer: int | None = None, kind: str | None = None) -> NDArray[np.float64]:
        """[N, N] the kernel over the weights of a layer, of a kind, of both, or over all weights (default).

        A kernel that is kept as such is not copied: do not change it.

        Raises:
            StoreError: if no weights of this layer and kind are kept.
        """
        return _sum([self.cells[cell] for cell in self.cells_of(layer, kind)])

    def cosines(self, layer: int | None = None, kind: str | None = None) -> NDArray[np.float64]:
        """[N, N] the cosine kernel over the same weights, see `cosine_kernel`.

        Raises:
            StoreError: if no weights of this layer and kind are kept.
        """
        return cosine_kernel(self.matrix(layer, kind))

    def standard_error(self, layer: int | None = None, kind: str | None = None) -> NDArray[np.float64]:
        """[N, N] standard error of `matrix`, of independent groups: 0 where the kernel is exact.

        Raises:
            StoreError: if no weights of this layer and kind are kept.
        """
        known = [self.standard_errors[cell] for cell in self.cells_of(layer, kind) if cell in self.standard_errors]
        if len(known) == 1:
            return known[0]
        return np.sqrt(_sum([np.square(error, dtype=np.float64) for error in known])) if known else self._zeros()

    @property
    def squared_norms(self) -> NDArray[np.float64]:
        """[N] the diagonal over all weights: squared gradient norms."""
        parts = [np.diagonal(self.cells[cell]).astype(np.float64) for cell in self.cells_of()]
        return np.sum(parts, axis=0)

    def _zeros(self) -> NDArray[np.float64]:
        return np.zeros((len(self.prompts),) * 2)

    def cells_of(self, layer: int | None = None, kind: str | None = None) -> list[Cell]:
        """The groups that make up the kernel of a layer, of a kind, of both, or of all weights.

        Raises:
            StoreError: if there are none.
        """
        if (asked := Cell(layer, kind)) in self.cells:
            return [asked]
        found = [
            cell
            for cell in self.cells
            if None not in cell and layer in (None, cell.layer) and kind in (None, cell.kind)
        ]
        if not found:
            raise StoreError(
                f"the kernel has no weights of layer {layer} and kind {kind}",
                expected=f"layers {self.layers}, kinds {self.kinds}",
            )
        return found

    @property
    def layers(self) -> list[int]:
        """The layers that it is split into: -1 before the blocks, L after them."""
        return sorted({cell.layer for cell in self.cells if cell.layer is not None})

    @property
    def kinds(self) -> list[str]:
        """The kinds of maps that it is split into, in the order of the weights."""
        return list(dict.fromkeys(cell.kind for cell in self.cells if cell.kind is not None))


def number_type(source: Source, n_prompts: int) -> type[np.floating]:
    """Of a kernel's numbers in memory: float32 for estimates of many prompts, whose error is ten thousand times that of
    rounding, and whose square takes hundreds of megabytes.
    """
    return np.float32 if source == "sketch" and n_prompts > MOST_SPLIT else np.float64


def _sum(matrices: Sequence[NDArray]) -> NDArray:
    """The sum of at least one matrix; a single one is returned as it is."""
    if len(matrices) == 1:
        return matrices[0]
    total = np.array(matrices[0])
    for matrix in matrices[1:]:
        total += matrix
    return total


def cosine_kernel(kernel: NDArray) -> NDArray:
    """[N, N] K(p, q) / √(K(p, p)·K(q, q)), in [-1, 1]; NaN in rows and columns of prompts without a gradient."""
    with np.errstate(invalid="ignore", divide="ignore"):
        norms = np.sqrt(np.diagonal(kernel))
        cosines = kernel / norms[:, None]
        cosines /= norms[None, :]
    np.clip(cosines, -1.0, 1.0, out=cosines)
    np.fill_diagonal(cosines, np.where(np.isfinite(np.diagonal(cosines)), 1.0, np.nan))
    return cosines
