"""Agreement of two predictions at the read position, from the most probable tokens that records keep of each.

Index conventions: k rank, most probable first; i token that only the reference lists; j that only the model lists.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

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
    """What two lists leave open.

    Attributes:
        only_here: probabilities of the tokens that the other list does not have.
        last: the smallest listed probability, which no unlisted token exceeds.
        rest: probability of all unlisted tokens together.
    """

    only_here: np.ndarray
    last: float
    rest: float


def best_token_agrees(reference: Listed, model: Listed) -> bool:
    """Whether both have the same most probable token."""
    return bool(reference.ids[0] == model.ids[0])


def kl_at_least(reference: Listed, model: Listed) -> float:
    """The smallest KL(reference ‖ model) in nats that agrees with both lists; NaN where a logarithm is not finite.

    A token that only one of them lists is, in the other, no more probable than the last of its list; the tokens that
    neither lists count as one outcome, which can only lower a divergence (log-sum inequality). Among all distributions
    that agree with this, the closest two are found exactly, so that the true divergence is at least the result. It is
    equal where both list the whole vocabulary.
    """
    if not (np.isfinite(reference.log_probabilities).all() and np.isfinite(model.log_probabilities).all()):
        return float("nan")
    _, at_reference, at_model = np.intersect1d(reference.ids, model.ids, return_indices=True)
    p_listed, q_listed = (np.exp(np.asarray(listed[1], dtype=np.float64)) for listed in (reference, model))
    p_open, q_open = _unlisted(p_listed, at_reference), _unlisted(q_listed, at_model)
    ratio = _ratio_of_the_rest(p_open, q_open)
    q_i = np.minimum(q_open.last, ratio * p_open.only_here)
    p_j = np.minimum(p_open.last, q_open.only_here / ratio)
    p = np.concatenate([p_listed[at_reference], p_open.only_here, p_j, [p_open.rest - p_j.sum()]])
    q = np.concatenate([q_listed[at_model], q_i, q_open.only_here, [q_open.rest - q_i.sum()]])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / q), 0.0)
    return max(float(terms.sum()), 0.0)


def _unlisted(listed: np.ndarray, shared: np.ndarray) -> _Unlisted:
    rest = max(1.0 - float(listed.sum()), _ROUNDING)
    return _Unlisted(np.delete(listed, shared), float(listed[-1]), rest)


def _ratio_of_the_rest(p: _Unlisted, q: _Unlisted) -> float:
    """Ratio q / p of the tokens that neither lists, where the divergence is smallest.

    There, q_i = min(q_last, ratio · p_i) and p_j = min(p_last, q_j / ratio): an unknown that is not at its bound has
    the ratio of the rest (conditions of Karush, Kuhn and Tucker). The ratio sought is the one for which these leave a
    rest of just that ratio; the problem is convex, so there is one.
    """

    def excess(ratio: float) -> float:
        p_j = np.minimum(ratio * p.last, q.only_here).sum()
        q_i = np.minimum(q.last, ratio * p.only_here).sum()
        return float(ratio * p.rest - p_j - q.rest + q_i)

    return float(brentq(excess, 0.0, 2 * (q.rest + q.only_here.sum()) / p.rest, rtol=1e-12))
