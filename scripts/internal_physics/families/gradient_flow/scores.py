"""EC, ISC, ISG and ISA: four scores of one prompt's gradient flow. Source: Internal Physics Benchmark.

Each has a function of a Trace that gives the number, and one that gives its tidy rows. All use
`flow.gradient_flow`, which is computed once per trace, so that one reading of a record serves all four.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from internal_physics.families.gradient_flow.flow import GradientFlow, flow_status, gradient_flow
from internal_physics.ground.status import OK
from internal_physics.records.trace import Trace
from internal_physics.tables.metric_rows import MetricRow, layer_rows

SPREADS = ("isg", "isa")


def ec(trace: Trace) -> float:
    """EC, conservation: how much a block changes the gradient that flows through it.

    EC = mean over blocks of e_l = ‖ΔA-ΔB‖ / (‖ΔB‖ + 1e-9). Dimensionless, ≥ 0; 0 where every block passes the
    gradient on unchanged. Not finite if a gradient is not.
    """
    return float(gradient_flow(trace).relative_change.mean())


def isc(trace: Trace) -> float:
    """ISC, efficiency: how much gradient flows through the model per nat of loss.

    ISC = Σ_l ‖ΔA_l‖ / loss, over the blocks l = 0..L-1; loss in nats. ≥ 0, per unit of the residual stream; infinite
    at zero loss; NaN where the gradients are not those of the loss (record.target).
    """
    if trace.info.target != "loss":
        return math.nan
    flow = gradient_flow(trace)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(flow.norm[:-1].sum()) / np.float64(trace.loss_nats))


def isg(trace: Trace) -> float:
    """ISG, magnitude synchrony: how evenly the blocks change the gradient.

    ISG = std(e_l) / mean(e_l) over blocks, population standard deviation (ddof 0). Dimensionless, in [0, √(L-1)]; 0
    where every block changes the gradient by the same share; NaN where no block changes it at all, and for a model of
    one block, which has no spread.
    """
    change = gradient_flow(trace).relative_change
    if len(change) == 1:
        return math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(change.std() / change.mean())


def isa(trace: Trace) -> float:
    """ISA, angular synchrony: how evenly the blocks rotate the gradient.

    ISA = std(c_l) over blocks of c_l = cos(ΔA, ΔB), population standard deviation (ddof 0). Dimensionless, in [0, 1];
    0 where every block turns the gradient by the same angle; NaN where a gradient is zero, and in a model of one
    block, which has no spread.
    """
    cosine = gradient_flow(trace).cosine
    return float(cosine.std()) if len(cosine) > 1 else math.nan


def ec_rows(trace: Trace) -> list[MetricRow]:
    """EC of the prompt and e_l of each block (quantity relative_gradient_change)."""
    layers = layer_rows("relative_gradient_change", gradient_flow(trace).relative_change)
    return [_score_row("ec", ec(trace), trace), *layers]


def isc_rows(trace: Trace) -> list[MetricRow]:
    """ISC of the prompt and the gradient norm at each residual (quantity gradient_norm, l = 0..L)."""
    return [_score_row("isc", isc(trace), trace), *layer_rows("gradient_norm", gradient_flow(trace).norm)]


def isg_rows(trace: Trace) -> list[MetricRow]:
    """ISG of the prompt; its values by layer are those of EC."""
    return [_score_row("isg", isg(trace), trace)]


def isa_rows(trace: Trace) -> list[MetricRow]:
    """ISA of the prompt and c_l of each block (quantity gradient_cosine)."""
    return [_score_row("isa", isa(trace), trace), *layer_rows("gradient_cosine", gradient_flow(trace).cosine)]


def _score_row(metric: str, value: float, trace: Trace) -> MetricRow:
    """The score of one prompt; if it is not finite, the status says why."""
    return MetricRow(metric, value, status=OK if np.isfinite(value) else _why_undefined(metric, trace))


def _why_undefined(metric: str, trace: Trace) -> str:
    """Why a score is not finite: what it lacks, or the first block whose gradient is zero or not finite."""
    if metric == "isc" and trace.info.target != "loss":
        return f"isc is the gradient of the loss per nat of it, and record.target is {trace.info.target}"
    flow: GradientFlow = gradient_flow(trace)
    status = flow_status(flow)
    if status != OK:
        return status
    if metric in SPREADS and len(flow.cosine) == 1:
        return f"one block: {metric} is a spread over blocks"
    return f"{metric} is not finite"


PER_PROMPT: Mapping[str, Callable[[Trace], list[MetricRow]]] = {
    "ec": ec_rows,
    "isc": isc_rows,
    "isg": isg_rows,
    "isa": isa_rows,
}
