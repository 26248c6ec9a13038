"""EC, the conservation axis: how much a block changes the gradient that flows through it."""

from internal_physics.metrics.gradient_flow import gradient_flow
from internal_physics.metrics.rows import MetricRow, layer_rows, prompt_row
from internal_physics.recording.trace import Trace


def ec(trace: Trace) -> float:
    """EC = mean over blocks of e_l = ‖ΔA-ΔB‖ / (‖ΔB‖ + 1e-9).

    Dimensionless, ≥ 0; 0 where every block passes the gradient on unchanged. Not finite if a gradient is not.
    Source: Internal Physics Benchmark.
    """
    return float(gradient_flow(trace).relative_change.mean())


def rows(trace: Trace) -> list[MetricRow]:
    """EC of the prompt and e_l of each block (quantity relative_gradient_change)."""
    flow = gradient_flow(trace)
    layers = layer_rows("relative_gradient_change", flow.relative_change)
    return [prompt_row("ec", float(flow.relative_change.mean()), flow), *layers]
