"""Agreement of two predictions at the read position, from their logits, or from their most probable tokens alone.

Index conventions: k rank, most probable first; i token that only the reference lists; j that only the model lists.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_NOTHING = 1e-15  # a probability below this is rounding
_ROUNDING = 1e-7  # of probabilities that are kept as float32 logarithms


class Listed(NamedTuple):
    """The most probable tokens of a prediction.

    Attributes:
        ids: [k] different tokens.
        log_probabilities: [k] in nats, in falling order.
    """

    ids: np.ndarray
    log_probabilities: np.ndarray


class _Unlisted(NamedTuple):
    """The probabilities that two lists leave open.

    Attributes:
        only_here: probabilities of the tokens that are missing in the other list.
        last: the smallest listed probability, which no unlisted token exceeds.
        rest: probability of all unlisted tokens together.
    """

    only_here: np.ndarray
    last: float
    rest: float


def best_token_agrees(reference: Listed, model: Listed) -> bool:
    """Whether both have the same most probable token."""
    return bool(reference.ids[0] == model.ids[0])


def kl_nats(log_p: np.ndarray, log_q: np.ndarray) -> float:
    """KL(p ‖ q) = Σ p (ln p − ln q) in nats; NaN if a logarithm is NaN, infinite if q excludes a token of p.

    It is summed as Σ p (eᵈ − 1 − d) with d = ln q − ln p, which is equal because p and q both sum to 1. No term is
    negative, so that the divergence of two predictions that are nearly equal is not lost in rounding.

    Args:
        log_p: [V] logarithms of the reference's probabilities, float64, of sum 1; minus infinity is a probability of 0.
        log_q: [V] those of the model.
    """
    p, q = np.exp(log_p), np.exp(log_q)
    with np.errstate(invalid="ignore", over="ignore"):
        d = log_q - log_p
        terms = np.where(np.abs(d) < 1, p * (np.expm1(d) - d), q - p - p * d)
    return float(np.where(p == 0, q, terms).sum())


def kl_at_least(reference: Listed, model: Listed) -> float:
    """The smallest KL(reference ‖ model) in nats that is consistent with both lists; NaN if a logarithm is not finite.

    A token that only one of them lists is, in the other, no more probable than the last of its list; the tokens that
    neither lists count as one outcome, which can only lower a divergence (log-sum inequality). Among all distributions
    that are consistent with this, the closest two are found exactly, so the true divergence is at least the result. The
    two are equal if both lists hold the whole vocabulary.
    """
    if not (np.isfinite(reference.log_probabilities).all() and np.isfinite(model.log_probabilities).all()):
        return float("nan")
    _, at_reference, at_model = np.intersect1d(reference.ids, model.ids, return_indices=True)
    p_listed, q_listed = (np.exp(np.asarray(listed[1], dtype=np.float64)) for listed in (reference, model))
    p_open, q_open = _unlisted(p_listed, at_reference), _unlisted(q_listed, at_model)
    q_i, p_j = _closest(p_open, q_open)
    p = np.concatenate([p_listed[at_reference], p_open.only_here, p_j, [p_open.rest - p_j.sum()]])
    q = np.concatenate([q_listed[at_model], q_i, q_open.only_here, [q_open.rest - q_i.sum()]])
    is_there = p > _NOTHING
    return max(float(np.sum(p[is_there] * np.log(p[is_there] / np.maximum(q[is_there], _NOTHING)))), 0.0)


def _unlisted(listed: np.ndarray, shared: np.ndarray) -> _Unlisted:
    rest = max(1.0 - float(listed.sum()), _ROUNDING)
    return _Unlisted(np.delete(listed, shared), float(listed[-1]), rest)


def _closest(p: _Unlisted, q: _Unlisted) -> tuple[np.ndarray, np.ndarray]:
    """The unknown q of tokens i and p of tokens j for which the divergence is smallest.

    It is convex in them. With the ratio q / p of the tokens that neither lists, q_i = min(q_last, ratio · p_i) and
    p_j = min(p_last, q_j / ratio): an unknown that is not at its bound has that same ratio (the conditions of Karush,
    Kuhn and Tucker). Both must leave a rest, which bounds the ratio from above and below; in between there is one ratio
    that their rests have. Where the bounds cross, nothing is left for other tokens.
    """
    highest = _scale_that_fills(p.only_here, q.last, q.rest)
    lowest = 1 / _scale_that_fills(q.only_here, p.last, p.rest)

    def excess(ratio: float) -> float:
        p_j = np.minimum(ratio * p.last, q.only_here).sum()
        q_i = np.minimum(q.last, ratio * p.only_here).sum()
        return float(ratio * p.rest - p_j - q.rest + q_i)

    if lowest < highest:
        end = min(highest, 2 * (q.rest + q.only_here.sum()) / p.rest)
        highest = lowest = _root(excess, lowest, end, rtol=1e-12)
    return np.minimum(q.last, highest * p.only_here), np.minimum(p.last, q.only_here / lowest)


def _scale_that_fills(values: np.ndarray, most: float, total: float) -> float:
    """The factor with Σ min(most, factor · values) = total; infinite if the sum of the bounds is below the total."""
    values = values[values > 0]  # one that underflowed gets nothing, whatever the factor
    if len(values) * most <= total:
        return np.inf
    return _root(lambda factor: np.minimum(most, factor * values).sum() - total, 0.0, most / values.min())


def _root(function: Callable[[float], float], low: float, high: float, **options: float) -> float:
    """The zero of a function between two places where its signs differ."""
    from scipy.optimize import brentq  # noqa: PLC0415  (a quarter of a second, for records without logits only)

    return float(brentq(function, low, high, **options))
