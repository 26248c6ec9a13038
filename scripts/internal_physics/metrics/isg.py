"""ISG, the magnitude-synchrony axis: how evenly the blocks change the gradient."""

import numpy as np

from internal_physics.metrics.gradient_flow import GradientFlow, gradient_flow
from internal_physics.metrics.rows import MetricRow, prompt_row
from internal_physics.recording.trace import Trace


def isg(trace: Trace) -> float:
    """ISG = std(e_l) / mean(e_l) over blocks, population standard deviation (ddof 0).

    Dimensionless, in [0, √(L-1)]; 0 where every block changes the gradient by the same share; NaN where no block
    changes it at all. Source: Internal Physics Benchmark.
    """
    return _isg(gradient_flow(trace))


def rows(trace: Trace) -> list[MetricRow]:
    """ISG of the prompt; its layer values are those of EC."""
    flow = gradient_flow(trace)
    return [prompt_row("isg", _isg(flow), flow)]


def _isg(flow: GradientFlow) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(flow.relative_change.std() / flow.relative_change.mean())
