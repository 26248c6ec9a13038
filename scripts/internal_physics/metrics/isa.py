"""ISA, the angular-synchrony axis: how evenly the blocks rotate the gradient."""

from internal_physics.metrics.gradient_flow import gradient_flow
from internal_physics.metrics.rows import MetricRow, layer_rows, prompt_row
from internal_physics.recording.trace import Trace


def isa(trace: Trace) -> float:
    """ISA = std(c_l) over blocks of c_l = cos(ΔA, ΔB), population standard deviation (ddof 0).

    Dimensionless, in [0, 1]; 0 where every block turns the gradient by the same angle; NaN where a gradient is zero.
    Source: Internal Physics Benchmark.
    """
    return float(gradient_flow(trace).cosine.std())


def rows(trace: Trace) -> list[MetricRow]:
    """ISA of the prompt and c_l of each block (quantity gradient_cosine)."""
    flow = gradient_flow(trace)
    return [prompt_row("isa", float(flow.cosine.std()), flow), *layer_rows("gradient_cosine", flow.cosine)]
