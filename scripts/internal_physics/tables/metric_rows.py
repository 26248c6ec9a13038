"""Tidy rows: the one format in which every metric returns its numbers."""

from collections.abc import Iterable
from typing import NamedTuple

from internal_physics.ground.status import OK, value_status


class MetricRow(NamedTuple):
    """One number of one metric.

    Attributes:
        quantity: what it is; the metric's own name for its score.
        value: the number; if it is not finite, status says why.
        layer: block or residual position; None for a number of the whole prompt or set.
        rank: 1-based place in a spectrum; None elsewhere.
        status: "ok", or a plain phrase.
        text: a token, where the number is about one; None elsewhere.
    """

    quantity: str
    value: float
    layer: int | None = None
    rank: int | None = None
    status: str = OK
    text: str | None = None


def layer_rows(quantity: str, values: Iterable[float]) -> list[MetricRow]:
    """One row per layer, in order from 0."""
    return [MetricRow(quantity, float(v), layer=layer, status=value_status(v)) for layer, v in enumerate(values)]
