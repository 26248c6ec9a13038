"""Metric drift: how far the residual stream at the last token turns away from that token's embedding.

Index conventions: l residual position 0..L, d width.
"""

import numpy as np
from internal_physics.ground.status import value_status
from internal_physics.records.trace import Trace
from internal_physics.tables.metric_rows import MetricRow, layer_rows


def embedding_cosines(trace: Trace) -> np.ndarray:
    """[L + 1] cosines of residual[l] with residual[0] at the last token, in [-1, 1]; NaN where either is zero."""
    stream = trace.residuals()[:, -1].astype(np.float64)  # [L + 1, d]
    norms = np.linalg.norm(stream, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(stream @ stream[0] / (norms * norms[0]), -1.0, 1.0)


def drift(trace: Trace) -> float:
    """1 - cosine of the last residual with the embedding. Dimensionless, in [0, 2]; NaN where either is zero."""
    return float(1.0 - embedding_cosines(trace)[-1])


def drift_rows(trace: Trace) -> list[MetricRow]:
    """The drift of the prompt, and the cosine at every residual (quantity embedding_cosine)."""
    score = drift(trace)
    score_row = MetricRow("drift", score, status=value_status(score, "a residual is zero"))
    return [score_row, *layer_rows("embedding_cosine", embedding_cosines(trace))]


PER_PROMPT = {"drift": drift_rows}
