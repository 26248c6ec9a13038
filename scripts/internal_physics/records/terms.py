"""The uses of a weight in one prompt, each as the two factors of its share of the gradient.

For a linear map y = x Wᵀ over T tokens the gradient of the loss is a sum of T outer products,
G = Σ_t δ_t ⊗ x_t. The pair (x, δ) *is* G, in T·(in+out) numbers instead of in·out.

Index conventions: t token; i input feature; o output feature; v vocabulary entry.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class OuterTerm:
    """One use of a weight in a linear map: G[o, i] = Σ_t output_gradient[t, o] · input[t, i].

    Attributes:
        input: [T, in], the input of the map.
        output_gradient: [T, out], ∂loss/∂y.
    """

    input: np.ndarray
    output_gradient: np.ndarray

    def factors(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """(left [T, out], right [T, in]) in float64, with G = leftᵀ right."""
        _require_width(self.output_gradient, n_rows)
        return self.output_gradient.astype(np.float64), self.input.astype(np.float64)


@dataclass(frozen=True)
class LookupTerm:
    """One use of a weight as an embedding table: G[ids[t], i] += output_gradient[t, i].

    Attributes:
        ids: [T], the rows looked up.
        output_gradient: [T, in], ∂loss/∂(looked-up row).
    """

    ids: np.ndarray
    output_gradient: np.ndarray

    def factors(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """(left [T, v] one-hot, right [T, in]) in float64, with G = leftᵀ right."""
        one_hot = np.zeros((len(self.ids), n_rows))
        one_hot[np.arange(len(self.ids)), self.ids] = 1.0
        return one_hot, self.output_gradient.astype(np.float64)


@dataclass(frozen=True)
class DenseTerm:
    """All uses of a weight that is no matrix of a product: its gradient as it is.

    Attributes:
        gradient: [out, in].
    """

    gradient: np.ndarray

    def factors(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """(left [out, out] identity, right [out, in]) in float64, with G = leftᵀ right."""
        return np.eye(n_rows), self.gradient.astype(np.float64)


Term = OuterTerm | LookupTerm | DenseTerm


def _require_width(matrix: np.ndarray, width: int) -> None:
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise ValueError(f"an output gradient of shape {matrix.shape} does not fit {width} outputs")
