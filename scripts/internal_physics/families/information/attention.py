"""Entropy of attention, and how much of it goes to a sink: a trace → tidy rows. No torch.

Index conventions: l block 0..L-1, h head, T tokens.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from internal_physics.families.information.attention_statuses import NO_ATTENTION, NO_DISTRIBUTION, WITHOUT_SINK
from internal_physics.ground.status import OK
from internal_physics.records.trace import Key, Trace
from internal_physics.tables.metric_rows import MetricRow

NOT_FINITE = "not finite"
_ROUNDING = 0.02  # of a row's sum in bfloat16


def attention_metric_rows(trace: Trace) -> Iterator[MetricRow]:
    """At the read position: attention_entropy_nats of each block, mean over heads and (head_nats, rank = head) each.

    Where a model's rows have a sink, the entropy counts it as an outcome of its own, and attention_sink_mass says how
    much it gets (mean over heads). Rows that are no distributions, or come without their sink, have a status instead;
    so has a block that gives no attention rows, where another block does.
    """
    by_layer = [_entropy(trace, layer) for layer in range(trace.n_layers)]
    if all(entropy is None for entropy in by_layer):
        return
    statuses = [_status(trace, layer, entropy) for layer, entropy in enumerate(by_layer)]
    means = [math.nan if entropy is None else float(entropy.mean()) for entropy in by_layer]
    yield from _rows("attention_entropy_nats", means, statuses)
    for layer, entropy in enumerate(by_layer):
        for head, value in enumerate(() if entropy is None else entropy):
            yield _row("attention_entropy_head_nats", value, layer, statuses[layer], rank=head + 1)
    if any(_row_sum(trace, layer) is not None for layer in range(trace.n_layers)):
        yield from _rows("attention_sink_mass", [_sink_mass(trace, layer) for layer in range(trace.n_layers)], statuses)


def _entropy(trace: Trace, layer: int) -> np.ndarray | None:
    """Entropy of each head's attention row at the read position, [H], 0 to ln T (ln (T + 1) with a sink).

    NaN where the rows have none; None where none was recorded.
    """
    key = Key("attention", layer, "entropy_nats")
    if key not in trace.tensors:
        return None
    return trace.tensors[key][:, trace.info.read_position].astype(np.float64)


def _rows(quantity: str, values: Iterable[float], statuses: list[str]) -> Iterator[MetricRow]:
    for layer, (value, status) in enumerate(zip(values, statuses, strict=True)):
        yield _row(quantity, value, layer, status)


def _row(quantity: str, value: float, layer: int, status: str, rank: int | None = None) -> MetricRow:
    own = OK if math.isfinite(value) else (NOT_FINITE if status == OK else status)
    return MetricRow(quantity, float(value), layer=layer, rank=rank, status=own)


def _status(trace: Trace, layer: int, entropy: np.ndarray | None) -> str:
    """Why a layer has no entropy; "ok" where it has one."""
    if entropy is None:
        return NO_ATTENTION
    if np.isfinite(entropy).all():
        return OK
    row_sum = _row_sum(trace, layer)
    if row_sum is None or not np.isfinite(row_sum).all():
        return NOT_FINITE
    return WITHOUT_SINK if np.abs(row_sum - 1).max() <= _ROUNDING else NO_DISTRIBUTION


def _sink_mass(trace: Trace, layer: int) -> float:
    """Mean over heads of what a row lacks to 1 at the read position, 0 to 1; NaN where rows have no entropy."""
    row_sum, entropy = _row_sum(trace, layer), _entropy(trace, layer)
    if entropy is None:
        return math.nan
    if row_sum is None:
        return 0.0
    mass = np.clip(1 - row_sum[:, trace.info.read_position].astype(np.float64), 0.0, 1.0)
    return float(mass.mean()) if np.isfinite(entropy).all() else math.nan


def _row_sum(trace: Trace, layer: int) -> np.ndarray | None:
    key = Key("attention", layer, "row_sum")
    return trace.tensors[key] if key in trace.tensors else None  # noqa: SIM401 (a file's `get` refuses what it lacks)
