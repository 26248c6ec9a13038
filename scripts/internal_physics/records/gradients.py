"""Exact weight gradients, kept as factors.

For a linear map y = x Wᵀ over T tokens the gradient of the loss is a sum of T outer products,
G = Σ_t δ_t ⊗ x_t. The pair (x, δ) *is* G, in T·(in+out) numbers instead of in·out.

Index conventions: t, s token; i input feature; o output feature; v vocabulary entry.
All results are accumulated in float64, whatever the type of the factors.
"""

from dataclasses import dataclass

import numpy as np

_COLUMNS_AT_ONCE = 8192


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

    def norm(self) -> float:
        """Frobenius norm ‖G‖, without building G."""
        return float(np.sqrt(max(self.dot(self), 0.0)))

    def dot(self, other: "FactoredGradient") -> float:
        """Inner product ⟨G, G'⟩ = Σ_ts (x_t·x'_s)(δ_t·δ'_s), over all pairs of terms.

        Raises:
            ValueError: if the two parameters differ in shape.
        """
        if (self.shape, self.transposed) != (other.shape, other.transposed):
            raise ValueError(f"gradients of different shapes: {self.shape} and {other.shape}")
        return float(sum(_dot(a, b) for a in self.terms for b in other.terms))

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
        n_rows = self.shape[1] if self.transposed else self.shape[0]
        if not self.terms:
            return np.zeros((1, n_rows)), np.zeros((1, self.shape[0] if self.transposed else self.shape[1]))
        pairs = [term.factors(n_rows) for term in self.terms]
        return np.concatenate([left for left, _ in pairs]), np.concatenate([right for _, right in pairs])


def _triangle(factor: np.ndarray) -> np.ndarray:
    """R of the QR decomposition of a factor [T, n], transposed before: [min(T, n), T]."""
    return np.asarray(np.linalg.qr(factor.T, mode="r"))


def _dot(a: Term, b: Term) -> float:
    """Inner product of two single terms, computed so that no [out, in] matrix is built where there was none."""
    if isinstance(a, DenseTerm) or isinstance(b, DenseTerm):
        return _dot_dense(a, b)
    if isinstance(a, LookupTerm) and isinstance(b, LookupTerm):
        same = a.ids[:, None] == b.ids[None, :]
        return float(np.sum(same * _products(a.output_gradient, b.output_gradient)))
    if isinstance(a, LookupTerm):
        return _dot(b, a)
    if isinstance(b, LookupTerm):
        looked_up = a.output_gradient[:, b.ids].astype(np.float64)  # [t, s]: δ_t at the row that s looked up
        return float(np.sum(looked_up * _products(a.input, b.output_gradient)))
    return float(np.sum(_products(a.input, b.input) * _products(a.output_gradient, b.output_gradient)))


def _dot_dense(a: Term, b: Term) -> float:
    if not isinstance(a, DenseTerm):
        a, b = b, a
    assert isinstance(a, DenseTerm)
    if isinstance(b, DenseTerm):
        return float(np.sum(a.gradient.astype(np.float64) * b.gradient.astype(np.float64)))
    left, right = b.factors(len(a.gradient))
    return float(np.sum((left @ a.gradient.astype(np.float64)) * right))


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """All inner products of rows, [t, s], in float64; wide rows (of a vocabulary) are converted in slices."""
    total = np.zeros((len(a), len(b)))
    for start in range(0, a.shape[1], _COLUMNS_AT_ONCE):
        columns = slice(start, start + _COLUMNS_AT_ONCE)
        wide = a[:, columns].astype(np.float64)
        total += wide @ (wide if b is a else b[:, columns].astype(np.float64)).T
    return total


def _require_width(matrix: np.ndarray, width: int) -> None:
    if matrix.ndim != 2 or matrix.shape[1] != width:
        raise ValueError(f"an output gradient of shape {matrix.shape} does not fit {width} outputs")
