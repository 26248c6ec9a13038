"""Properties of next-token distributions: pure functions of logits and log-probabilities, in nats.

Index conventions: n distribution, v vocabulary entry, k rank. Everything is float64, in log space: a probability that
underflows to 0 contributes 0, and a distribution that is not finite (NaN logits) gives NaN, never an exception.
"""

import math
from typing import NamedTuple

import torch

_SMALLEST = torch.finfo(torch.float64).min  # in place of ln 0, which times 0 would be NaN


def log_probabilities(logits: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Natural logarithm of softmax(logits / temperature), float64, in (-∞, 0].

    Args:
        logits: [n, v], of any floating type.
        temperature: above 0; above 1 flattens the distribution, below 1 sharpens it.
    """
    wide = logits.double()
    return (wide if temperature == 1.0 else wide / temperature).log_softmax(dim=-1)


class Summary(NamedTuple):
    """What is kept of every distribution, [n] each; NaN where the logits are not finite."""

    entropy_nats: torch.Tensor
    surprisal_nats: torch.Tensor
    top_ids: torch.Tensor
    top_probabilities: torch.Tensor


def summaries(logits: torch.Tensor, targets: torch.Tensor, temperature: float = 1.0) -> Summary:
    """Entropy, surprisal and best token of each distribution, with one exponential and half the passes of the
    functions below, which it equals: with z the logits less their largest and Z = Σ e^z, entropy is ln Z - Σ z e^z / Z.

    Args:
        logits: [n, v], of any floating type.
        targets: [n] token ids; negative where nothing is predicted.
        temperature: above 0.
    """
    z = logits.to(torch.float64, copy=True)
    if temperature != 1.0:
        z /= temperature
    best = z.max(dim=-1)
    z -= best.values[:, None]
    own = z.gather(-1, targets.clamp(min=0)[:, None])[:, 0]
    powers = z.exp()
    total = powers.sum(dim=-1)
    weighted = torch.einsum("nv,nv->n", powers, z)
    if weighted.isnan().any():  # a logit of minus infinity: 0 · ln 0 counts as 0
        weighted = torch.einsum("nv,nv->n", powers, z.clamp_(min=_SMALLEST))
    log_total = total.log()
    return Summary(
        (log_total - weighted / total).clamp(min=0.0),
        torch.where(targets < 0, torch.nan, log_total - own),
        best.indices,
        1 / total,
    )


def entropy_nats(log_p: torch.Tensor) -> torch.Tensor:
    """Shannon entropy -Σ p ln p of each distribution, [n], in [0, ln V]."""
    return -(log_p.exp().mul_(log_p.clamp(min=_SMALLEST))).sum(dim=-1).clamp_(max=0.0)


def perplexity(entropy: torch.Tensor) -> torch.Tensor:
    """e^entropy, in [1, V]: how many equally probable tokens would be as uncertain."""
    return entropy.exp()


def kl_uniform_nats(entropy: torch.Tensor, n_vocabulary: int) -> torch.Tensor:
    """KL(p ‖ uniform) = ln V - entropy, in [0, ln V]; rounding below 0 is set to 0."""
    return (math.log(n_vocabulary) - entropy).clamp(min=0.0)


def margin(log_p: torch.Tensor) -> torch.Tensor:
    """Difference of the two largest logits (of logits / temperature: normalising moves both alike), [n], ≥ 0."""
    if log_p.shape[-1] < 2:
        raise ValueError("a margin needs at least two vocabulary entries")
    top = log_p.topk(2, dim=-1).values
    return top[..., 0] - top[..., 1]


def surprisal_nats(log_p: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """-ln p(target) of each distribution, [n], ≥ 0; NaN where there is no target.

    Args:
        log_p: [n, v].
        targets: [n] token ids; negative where nothing is predicted.
    """
    found = -log_p.gather(-1, targets.clamp(min=0)[:, None])[:, 0]
    return torch.where(targets < 0, torch.nan, found)


def kl_nats(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """KL(p ‖ q) = Σ p (ln p - ln q), [n], ≥ 0; rounding below 0 is set to 0. Infinite where q is 0 and p is not.

    With p the final distribution and q that of a layer, this is the forward KL that tuned-lens' trajectories show.
    """
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), 0.0)
    return torch.where(p.isnan().any(dim=-1), torch.nan, terms.sum(dim=-1)).clamp(min=0.0)


def rank_of(log_p: torch.Tensor, token: int) -> torch.Tensor:
    """Place of a token in each distribution, [n], 1..V: one more than the number of entries above it; NaN as log_p."""
    own = log_p[:, token, None]
    rank = 1.0 + (log_p > own).sum(dim=-1).double()
    return torch.where(own[:, 0].isnan(), torch.nan, rank)


def margin_of(log_p: torch.Tensor, token: int) -> torch.Tensor:
    """Margin of a token: ln p(token) less the largest ln p of the others, [n], in nats; > 0 if it is on top alone."""
    if log_p.shape[-1] < 2:
        raise ValueError("a margin needs at least two vocabulary entries")
    top = log_p.topk(2, dim=-1)
    is_best = top.indices[..., 0] == token
    return log_p[..., token] - torch.where(is_best, top.values[..., 1], top.values[..., 0])
