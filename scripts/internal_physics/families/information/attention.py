"""Entropy of attention, and how much of it goes to a sink: a trace → tidy rows. No torch.

Index conventions: l block 0..L-1, h head, T tokens.
"""

import math
from collections.abc import Iterator

import numpy as np

from internal_physics.ground.errors import StoreError
from internal_physics.ground.status import OK
from internal_physics.records.trace import Key, Trace
from internal_physics.tables.metric_rows import MetricRow

NO_DISTRIBUTION = "attention rows are no distributions"
WITHOUT_SINK = "attention rows come without their sink"
NOT_FINITE = "not finite"
_ROUNDING = 0.02  # of a row's sum in bfloat16


def attention_metric_rows(trace: Trace) -> Iterator[MetricRow]:
    """At the read position: attention_entropy_nats of each block, mean over heads and (head_nats, rank = head) each.

    Where a model's rows have a sink, the entropy counts it as an outcome of its own, and attention_sink_mass says how
    much it gets (mean over heads). Rows that are no distributions, or come without their sink, have a status instead.
    """
    entropy = attention_entropy_nats(trace)
    if entropy is None:
        return
    statuses = [_status(trace, layer, entropy[layer]) for layer in range(trace.n_layers)]
    yield from _rows("attention_entropy_nats", entropy.mean(axis=1), statuses)
    for head in range(entropy.shape[1]):
        yield from _rows("attention_entropy_head_nats", entropy[:, head], statuses, rank=head + 1)
    if any(_row_sum(trace, layer) is not None for layer in range(trace.n_layers)):
        yield from _rows("attention_sink_mass", [_sink_mass(trace, layer) for layer in range(trace.n_layers)], statuses)


def attention_entropy_nats(trace: Trace) -> np.ndarray | None:
    """Entropy of each head's attention row at the read position, [L, H], 0 to ln T (ln (T + 1) with a sink).

    NaN where the rows have none; None where none was recorded.
    """
    try:
        rows = [trace.tensor("attention", layer, "entropy_nats") for layer in range(trace.n_layers)]
    except (KeyError, StoreError):
        return None
    return np.stack([row[:, trace.info.read_position] for row in rows]).astype(np.float64)


def _rows(
    quantity: str, values: np.ndarray | list[float], statuses: list[str], rank: int | None = None
) -> Iterator[MetricRow]:
    for layer, (value, status) in enumerate(zip(values, statuses, strict=True)):
        own = OK if math.isfinite(value) else (NOT_FINITE if status == OK else status)
        yield MetricRow(quantity, float(value), layer=layer, rank=rank, status=own)


def _status(trace: Trace, layer: int, entropy: np.ndarray) -> str:
    """Why a layer has no entropy; "ok" where it has one."""
    if np.isfinite(entropy).all():
        return OK
    row_sum = _row_sum(trace, layer)
    if row_sum is None or not np.isfinite(row_sum).all():
        return NOT_FINITE
    return WITHOUT_SINK if np.abs(row_sum - 1).max() <= _ROUNDING else NO_DISTRIBUTION


def _sink_mass(trace: Trace, layer: int) -> float:
    """Mean over heads of what a row lacks to 1 at the read position, 0 to 1; NaN where rows have no entropy."""
    row_sum = _row_sum(trace, layer)
    if row_sum is None:
        return 0.0
    entropy = trace.tensor("attention", layer, "entropy_nats")[:, trace.info.read_position]
    mass = np.clip(1 - row_sum[:, trace.info.read_position].astype(np.float64), 0.0, 1.0)
    return float(mass.mean()) if np.isfinite(entropy).all() else math.nan


def _row_sum(trace: Trace, layer: int) -> np.ndarray | None:
    key = Key("attention", layer, "row_sum")
    return trace.tensors[key] if key in trace.tensors else None  # noqa: SIM401 (a file's `get` refuses what it lacks)
