"""ISC, the efficiency axis: how much gradient flows through the model per nat of loss."""

import numpy as np

from internal_physics.metrics.gradient_flow import GradientFlow, gradient_flow
from internal_physics.metrics.rows import MetricRow, layer_rows, prompt_row
from internal_physics.recording.trace import Trace


def isc(trace: Trace) -> float:
    """ISC = Σ_l ‖ΔA_l‖ / loss, over the blocks l = 0..L-1; loss in nats.

    ≥ 0, per unit of the residual stream; infinite at zero loss. Source: Internal Physics Benchmark.
    """
    return _isc(gradient_flow(trace), trace.loss_nats)


def rows(trace: Trace) -> list[MetricRow]:
    """ISC of the prompt and the gradient norm at each residual (quantity gradient_norm, l = 0..L)."""
    flow = gradient_flow(trace)
    return [prompt_row("isc", _isc(flow, trace.loss_nats), flow), *layer_rows("gradient_norm", flow.norm)]


def _isc(flow: GradientFlow, loss_nats: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(flow.norm[:-1].sum()) / np.float64(loss_nats))
