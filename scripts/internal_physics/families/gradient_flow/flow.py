"""What a block does to the gradient that flows back through it: the basis that EC, ISC, ISG and ISA share.

For block l, ΔB = residual_gradient[l+1] enters its backward pass and ΔA = residual_gradient[l] leaves it.
Index conventions: l block 0..L-1, t token, d width. Float64 throughout; all results except norms are dimensionless.
"""

from dataclasses import dataclass

import numpy as np

from internal_physics.records.trace import Trace

EPSILON = 1e-9


@dataclass(frozen=True)
class GradientFlow:
    """Gradient flow of one prompt, one number per block.

    Attributes:
        relative_change: e_l = ‖ΔA-ΔB‖ / (‖ΔB‖ + 1e-9), [L], ≥ 0.
        cosine: c_l = cos(ΔA, ΔB) over the flattened tensors, [L], in [-1, 1]; NaN where a gradient is zero.
        norm: ‖residual_gradient[l]‖, [L + 1], ≥ 0; nats per unit of the residual stream.
    """

    relative_change: np.ndarray
    cosine: np.ndarray
    norm: np.ndarray

    @property
    def first_bad_layer(self) -> int | None:
        """The block whose values first stop being finite, seen in the order of the backward pass (from the top)."""
        bad = ~(np.isfinite(self.relative_change) & np.isfinite(self.cosine))
        return int(np.flatnonzero(bad)[-1]) if bad.any() else None


def gradient_flow(trace: Trace) -> GradientFlow:
    """Gradient flow of one trace, computed once; overflow and NaN pass through, and are flagged by `flow_status`."""
    return trace.remember("gradient_flow", lambda: _gradient_flow(trace))


def _gradient_flow(trace: Trace) -> GradientFlow:
    gradients = trace.residual_gradients().astype(np.float64).reshape(trace.n_layers + 1, -1)
    below, above = gradients[:-1], gradients[1:]
    norm = np.linalg.norm(gradients, axis=1)
    products = np.einsum("lx,lx->l", below, above)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = products / (norm[:-1] * norm[1:])
    change = np.linalg.norm(below - above, axis=1) / (norm[1:] + EPSILON)
    return GradientFlow(change, np.clip(cosine, -1.0, 1.0), norm)


def flow_status(flow: GradientFlow) -> str:
    """The status: "ok", or the first block, from the top, whose gradient is zero or not finite."""
    layer = flow.first_bad_layer
    if layer is None:
        return "ok"
    zero = flow.norm[layer] == 0 or flow.norm[layer + 1] == 0
    return f"{'zero' if zero else 'not finite'} gradient, first at block {layer} from the top"
