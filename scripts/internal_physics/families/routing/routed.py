"""Metric routing: which experts a prompt uses in each block, and how decided their router is.

Index conventions: t token; e expert 0..E-1; k choice of a token. p_t is the softmax of the router's scores of token t,
whatever function the model itself makes weights of them with.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from internal_physics.ground.status import value_status
from internal_physics.records.trace import Key, Trace
from internal_physics.tables.metric_rows import MetricRow


class Routed(NamedTuple):
    """The routing of one prompt through the experts of one block.

    Attributes:
        site: the module of the experts.
        layer: its block.
        scores: [T, E], of the router.
        chosen: [T, k], numbers of the experts that each token was sent to.
    """

    site: str
    layer: int
    scores: np.ndarray
    chosen: np.ndarray


def routed(trace: Trace) -> Iterator[Routed]:
    """All experts of a record, in the order of the blocks; nothing for a model without experts."""
    for key in sorted((k for k in trace.tensors if k.quantity == "router_logits"), key=lambda k: (k.layer, k.site)):
        chosen = trace.tensors[Key(key.site, key.layer, "expert_ids")].astype(np.int64)
        yield Routed(key.site, key.layer, trace.tensors[key].astype(np.float64), chosen)


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of each token's scores, [T, E] → [T, E]; NaN for a token whose scores are not finite."""
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)


def load(chosen: np.ndarray, n_experts: int) -> np.ndarray:
    """Share of the choices of all tokens that fell on each expert: [T, k] → [E], which sums to 1."""
    return np.bincount(chosen.ravel(), minlength=n_experts) / chosen.size


def entropy_nats(shares: np.ndarray) -> np.ndarray:
    """Entropy along the last axis, in nats: 0 where one expert has all, ln E where all have the same."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(shares > 0, shares * np.log(shares), np.where(shares == 0, 0.0, np.nan)).sum(axis=-1)


def routing_rows(trace: Trace) -> list[MetricRow]:
    """Numbers of each block (text: the module of the experts), and of each expert (rank: its number, from 0)."""
    found: list[MetricRow] = []
    for part in routed(trace):
        p, shares = probabilities(part.scores), load(part.chosen, part.scores.shape[1])
        numbers = {
            "n_experts": len(shares),
            "n_chosen": part.chosen.shape[1],
            "n_used": int((shares > 0).sum()),
            "token_entropy_nats": float(entropy_nats(p).mean()),
            "mean_entropy_nats": float(entropy_nats(p.mean(axis=0))),
            "load_entropy_nats": float(entropy_nats(shares)),
        }
        found += [_row(part, name, value) for name, value in numbers.items()]
        for e, (share, probability) in enumerate(zip(shares, p.mean(axis=0), strict=True)):
            found += [_row(part, "load", share, e), _row(part, "probability", probability, e)]
    return found


def _row(part: Routed, quantity: str, value: float, rank: int | None = None) -> MetricRow:
    status = value_status(value, "a score of the router is not finite")
    return MetricRow(quantity, float(value), layer=part.layer, rank=rank, status=status, text=part.site)


PER_PROMPT = {"routing": routing_rows}
