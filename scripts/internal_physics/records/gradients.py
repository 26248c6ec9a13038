"""Exact weight gradients, kept as factors: the sum over the uses of a weight (see terms).

All results are accumulated in float64, whatever the type of the factors.
"""

from dataclasses import dataclass

import numpy as np

from internal_physics.records.inner_products import inner_products
from internal_physics.records.terms import DenseTerm, LookupTerm, OuterTerm, Term

__all__ = ["DenseTerm", "FactoredGradient", "LookupTerm", "OuterTerm", "Term"]


@dataclass(frozen=True)
class FactoredGradient:
    """The gradient of one prompt's loss with respect to one 2-D parameter, exact and factored.

    Attributes:
        shape: the parameter's own shape.
        terms: one term per use of the parameter (a tied embedding has two; an expert that no token was sent to, none).
        transposed: whether the parameter stores [in, out] (GPT-2's Conv1D) instead of [out, in].
    """

    shape: tuple[int, int]
    terms: tuple[Term, ...]
    transposed: bool = False

    def __repr__(self) -> str:
        size = f"{self.shape[0]} × {self.shape[1]}"
        if any(isinstance(term, DenseTerm) for term in self.terms):
            return f"FactoredGradient({size}, dense)"
        tokens = " + ".join(str(len(t.output_gradient)) for t in self.terms if not isinstance(t, DenseTerm))
        return f"FactoredGradient({size}, from {tokens or 0} tokens)"

    @property
    def map_shape(self) -> tuple[int, int]:
        """(out, in), however the parameter is stored."""
        return self.shape[::-1] if self.transposed else self.shape

    def norm(self) -> float:
        """Frobenius norm ‖G‖, without building G."""
        return float(np.sqrt(max(self.dot(self), 0.0)))

    def dot(self, other: "FactoredGradient") -> float:
        """Inner product ⟨G, G'⟩ = Σ_ts (x_t·x'_s)(δ_t·δ'_s), over all pairs of terms; see `inner_products`.

        Raises:
            ValueError: if the two parameters differ in shape.
        """
        if (self.shape, self.transposed) != (other.shape, other.transposed):
            raise ValueError(f"gradients of different shapes: {self.shape} and {other.shape}")
        columns = None if other is self else [other.terms]
        return float(inner_products([self.terms], columns, self.map_shape)[0, 0])

    def dense(self) -> np.ndarray:
        """G as a float64 matrix of the parameter's shape."""
        left, right = self._factors()
        gradient = left.T @ right
        return gradient.T if self.transposed else gradient

    def singular_values(self) -> np.ndarray:
        """The singular values of G that can differ from zero, descending: at most min(T, *shape) per term.

        QR of both factors leaves a core of at most T×T, whose singular values are those of G.
        """
        left, right = self._factors()
        core = _triangle(left) @ _triangle(right).T
        return np.linalg.svd(core, compute_uv=False)

    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        n_rows, n_columns = self.map_shape
        if not self.terms:
            return np.zeros((1, n_rows)), np.zeros((1, n_columns))
        pairs = [term.factors(n_rows) for term in self.terms]
        return np.concatenate([left for left, _ in pairs]), np.concatenate([right for _, right in pairs])


def _triangle(factor: np.ndarray) -> np.ndarray:
    """R of the QR decomposition of a factor [T, n], transposed before: [min(T, n), T]."""
    return np.asarray(np.linalg.qr(factor.T, mode="r"))
