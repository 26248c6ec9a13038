"""The empirical tangent kernel of the loss between the prompts of a model, exact, from stored factors.

K(p, q) = Σ_W ⟨∂loss_p/∂W, ∂loss_q/∂W⟩ over all matrices W of the model whose gradients are recorded (biases and the
gains of norms are not). It is the kernel of a scalar output, the loss of a prompt, so that no output is summed or
averaged over. K is symmetric and positive semi-definite, and its diagonal holds the squared gradient norms.

Its unit is nats² per squared weight. A gradient step of size η on prompt q changes the loss of prompt p by −η·K(p, q),
to first order in η.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from internal_physics.families.kernel.factors import Weight, gradients_of, weights_of
from internal_physics.families.kernel.parts import TOTAL, Cell, PromptName, TangentKernel, cosine_kernel
from internal_physics.ground.errors import StoreError
from internal_physics.records.gradients import FactoredGradient, LookupTerm, OuterTerm
from internal_physics.records.inner_products import inner_products
from internal_physics.records.trace import Trace

__all__ = ["TOTAL", "Cell", "PromptName", "TangentKernel", "cosine_kernel", "name_of", "tangent_kernel"]

_BYTES_AT_ONCE = 2**28  # factors of a block of prompts, for the weights of one layer
_ROUNDING = 1e-9  # of the diagonal, relative to the largest value that it could have


def tangent_kernel(traces: Sequence[Trace], *, bytes_at_once: int = _BYTES_AT_ONCE) -> TangentKernel:
    """The kernel between records of one model, exact, by layer and kind of map.

    The records are read one layer after the other, in blocks of prompts whose factors take at most `bytes_at_once`; two
    blocks are in memory at once. A prompt that did not reach a weight has a gradient of zero there. Each weight's
    diagonal is checked on one prompt against its gradient norm.

    Args:
        traces: records that keep factors, of one model; they may be lazy.
        bytes_at_once: see above.

    Raises:
        StoreError: if a record keeps no factors or is of another model, or the diagonal is wrong.
    """
    weights = weights_of(traces)
    cells: dict[Cell, NDArray[np.float64]] = {}
    for layer in dict.fromkeys(weight.layer for weight in weights):
        of_layer = [weight for weight in weights if weight.layer == layer]
        for kind, part in _layer_kernels(traces, of_layer, bytes_at_once).items():
            cells[Cell(layer, kind)] = part
    return TangentKernel(tuple(map(name_of, traces)), cells)


def name_of(trace: Trace) -> PromptName:
    """The prompt of a record."""
    return PromptName(str(trace.info.labels.get("prompt_set", "")), trace.info.prompt)


def _layer_kernels(
    traces: Sequence[Trace], weights: Sequence[Weight], bytes_at_once: int
) -> dict[str, NDArray[np.float64]]:
    """Kind of map -> kernel over the weights of one layer."""
    kernels = {weight.kind: np.zeros((len(traces),) * 2) for weight in weights}
    blocks = _blocks([_n_bytes(trace, weights) for trace in traces], bytes_at_once)
    for i, rows in enumerate(blocks):
        row_gradients = gradients_of(traces[rows], weights)
        for columns in blocks[i:]:
            column_gradients = None if columns == rows else gradients_of(traces[columns], weights)
            for place, weight in enumerate(weights):
                part = _products(weight, row_gradients, column_gradients)
                kernels[weight.kind][rows, columns] += part
                if column_gradients is not None:
                    kernels[weight.kind][columns, rows] += part.T
                elif len(part):
                    _check_diagonal(part, row_gradients[weight.name], weight, place % len(part))
    return kernels


def _products(
    weight: Weight,
    rows: Mapping[str, list[FactoredGradient]],
    columns: Mapping[str, list[FactoredGradient]] | None,
) -> NDArray[np.float64]:
    own = [gradient.terms for gradient in rows[weight.name]]
    other = None if columns is None else [gradient.terms for gradient in columns[weight.name]]
    return inner_products(own, other, weight.map_shape)


def _blocks(sizes: Sequence[int], at_once: int) -> list[slice]:
    """Consecutive prompts whose sizes add up to at most `at_once`; a larger prompt is alone."""
    blocks, start, used = [], 0, 0
    for i, size in enumerate(sizes):
        if i > start and used + size > at_once:
            blocks.append(slice(start, i))
            start, used = i, 0
        used += size
    return [*blocks, slice(start, len(sizes))] if sizes else []


def _n_bytes(trace: Trace, weights: Sequence[Weight]) -> int:
    """At most so many bytes of float32 factors: maps that share an input are counted with one each."""
    return 4 * trace.n_tokens * sum(sum(weight.map_shape) for weight in weights)


def _check_diagonal(part: NDArray, gradients: Sequence[FactoredGradient], weight: Weight, p: int) -> None:
    expected = gradients[p].dot(gradients[p])
    bound = _ROUNDING * _largest_square(gradients[p])
    if math.isfinite(expected) and not abs(part[p, p] - expected) <= bound:
        raise StoreError(
            f"the kernel of {weight.name} has {part[p, p]:.6g} on its diagonal, the squared gradient norm is "
            f"{expected:.6g}",
            expected="equal numbers, up to rounding",
            todo="report this as a defect, with the model and the prompts",
        )


def _largest_square(gradient: FactoredGradient) -> float:
    """What ‖G‖² could be for factors of these norms: rounding errors are relative to it."""
    norms = 0.0
    for term in gradient.terms:
        if isinstance(term, OuterTerm):
            norms += float(np.linalg.norm(term.input) * np.linalg.norm(term.output_gradient))
        elif isinstance(term, LookupTerm):
            norms += float(np.linalg.norm(term.output_gradient)) * math.sqrt(len(term.ids))
        else:
            norms += float(np.linalg.norm(term.gradient))
    return norms**2
