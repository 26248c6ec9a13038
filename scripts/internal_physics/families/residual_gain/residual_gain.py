"""Residual gain: how much each block grows or shrinks the residual stream, and how unsure the model is at the end.

Index conventions: l residual position 0..L, block l leads from l to l+1; t token; d width. Float64 throughout.
Source: a published notebook conjectures that the last block grows the stream where the model must search.
"""

from dataclasses import dataclass

import numpy as np

from internal_physics.families.residual_gain.variants import VARIANTS, Variant
from internal_physics.ground.status import OK, value_status
from internal_physics.records.trace import Trace
from internal_physics.tables.metric_rows import MetricRow

N_TOP_TOKENS = 5
OUT_OF_RANGE = "beyond the range of a float: read its logarithm"


@dataclass(frozen=True)
class Gain:
    """Norms of the residual stream of one prompt and what follows from them.

    Attributes:
        norms: ‖residual[l]‖, [L + 1], ≥ 0, in units of the residual stream; the last is before the final norm.
        status: "ok", or why a gain is missing.
    """

    norms: np.ndarray
    status: str = OK

    def __repr__(self) -> str:
        return f"Gain({len(self.norms) - 1} blocks, last gain {self.last_gain:.4g}, status {self.status!r})"

    @property
    def gains(self) -> np.ndarray:
        """norms[l+1] / norms[l] of each block, [L], dimensionless, ≥ 0; not finite after a norm of zero or infinity."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isfinite(self.norms[:-1]), self.norms[1:] / self.norms[:-1], np.nan)

    @property
    def last_gain(self) -> float:
        """Gain of the last block."""
        return float(self.gains[-1])

    @property
    def expands(self) -> bool:
        """Whether the last block grows the stream: last gain > 1; false where that is unknown."""
        return self.last_gain > 1

    @property
    def log_cumulative_gain(self) -> float:
        """Natural logarithm of the product of all gains, which telescopes: ln(norms[L] / norms[0])."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.log(self.norms[-1]) - np.log(self.norms[0]))

    @property
    def cumulative_gain(self) -> float:
        """Product of all gains; infinite or 0 where it leaves the range of a float, which its logarithm does not."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.exp(self.log_cumulative_gain))


@dataclass(frozen=True)
class TopToken:
    """One of the most probable next tokens: its text and its probability, 0 to 1."""

    text: str
    probability: float


def residual_gain(trace: Trace, variant: Variant = "whole") -> Gain:
    """Norms and gains of the residual stream.

    Args:
        trace: of one prompt.
        variant: which positions the norm runs over: "whole" (all of them, as published; the first token's massive
            activation can dominate it), "last_position" (the one that the prediction is read at, so the [MASK] of a
            masked model), or "excluding_first" (all but the first; undefined for a prompt of one token).

    Raises:
        ValueError: for an unknown variant.
    """
    return _gain(position_norms(trace), trace.info.read_position, variant)


def position_norms(trace: Trace) -> np.ndarray:
    """‖residual[l, t]‖ of every position, [L + 1, T], ≥ 0."""
    return np.stack(
        [np.linalg.norm(trace.residual(layer).astype(np.float64), axis=-1) for layer in range(trace.n_layers + 1)]
    )


def position_gains(trace: Trace) -> np.ndarray:
    """‖residual[l+1, t]‖ / ‖residual[l, t]‖ of every position, [L, T]; not finite after a norm of zero."""
    return Gain(position_norms(trace)).gains


def next_token_entropy_nats(trace: Trace) -> float:
    """Shannon entropy of the predicted distribution at the read position, in nats, 0 to ln V."""
    return float(trace.tensor("logits", trace.n_layers, "entropy_nats"))


def top_tokens(trace: Trace, n: int = N_TOP_TOKENS) -> list[TopToken]:
    """The most probable next tokens, best first: `n` of them, or as many as were recorded.

    An id without text (in records from before it was kept, or one that the tokenizer does not know) is named by number.
    """
    probabilities = np.exp(trace.tensor("logits", trace.n_layers, "top_log_probabilities").astype(np.float64))
    ids = trace.tensor("logits", trace.n_layers, "top_ids").astype(np.int64)
    texts = trace.info.top_tokens or [""] * len(ids)
    found = [TopToken(text or f"token {i}", float(p)) for text, i, p in zip(texts, ids, probabilities, strict=True)]
    return found[:n]


def rows(trace: Trace) -> list[MetricRow]:
    """Everything about one prompt, as tidy rows; {variant} is one of VARIANTS.

    By layer: residual_norm_{variant} (l = 0..L) and residual_gain_{variant} (block 0..L-1). Of the prompt:
    last_gain_{variant}, cumulative_gain_{variant}, log_cumulative_gain_{variant}, next_token_entropy_nats. By rank:
    top_token, its probability as value and the token as text.
    """
    by_position = position_norms(trace)
    entropy = next_token_entropy_nats(trace)
    found = [MetricRow("next_token_entropy_nats", entropy, status=value_status(entropy, "entropy is not finite"))]
    for variant in VARIANTS:
        found += _variant_rows(variant, _gain(by_position, trace.info.read_position, variant))
    return found + [
        MetricRow("top_token", token.probability, rank=rank, status=value_status(token.probability), text=token.text)
        for rank, token in enumerate(top_tokens(trace), start=1)
    ]


def _gain(by_position: np.ndarray, read_position: int, variant: Variant) -> Gain:
    if variant == "whole":
        norms = _root_sum_square(by_position)
    elif variant == "last_position":
        norms = by_position[:, read_position]
    elif variant == "excluding_first":
        if by_position.shape[1] < 2:
            return Gain(np.full(len(by_position), np.nan), "one token: nothing is left without the first")
        norms = _root_sum_square(by_position[:, 1:])
    else:
        raise ValueError(f"variant is {variant!r}: expected one of {', '.join(VARIANTS)}")
    return Gain(norms, _status(norms))


def _root_sum_square(by_position: np.ndarray) -> np.ndarray:
    """Norm over positions from the norms of each, [L + 1, t] → [L + 1]."""
    return np.linalg.norm(by_position, axis=1)


def _status(norms: np.ndarray) -> str:
    """The status: "ok", or the first residual, from the embedding up, without a usable norm."""
    bad = ~(np.isfinite(norms) & (norms > 0))
    if not bad.any():
        return OK
    layer = int(np.flatnonzero(bad)[0])
    return f"the norm is {'zero' if norms[layer] == 0 else 'not finite'}, first at residual {layer}"


def _variant_rows(variant: str, gain: Gain) -> list[MetricRow]:
    log_cumulative, cumulative = gain.log_cumulative_gain, gain.cumulative_gain
    in_range = 0 < cumulative < np.inf or not np.isfinite(log_cumulative)
    found = [
        _row(f"last_gain_{variant}", gain.last_gain, gain.status),
        _row(f"log_cumulative_gain_{variant}", log_cumulative, gain.status),
        _row(f"cumulative_gain_{variant}", cumulative, gain.status)
        if in_range
        else MetricRow(f"cumulative_gain_{variant}", cumulative, status=OUT_OF_RANGE),
    ]
    for quantity, values in (("residual_norm", gain.norms), ("residual_gain", gain.gains)):
        found += [_row(f"{quantity}_{variant}", value, gain.status, layer) for layer, value in enumerate(values)]
    return found


def _row(quantity: str, value: float, status: str, layer: int | None = None) -> MetricRow:
    """One row; a finite value is ok even where another layer of the same prompt is not."""
    return MetricRow(quantity, float(value), layer=layer, status=OK if np.isfinite(value) else status)


PER_PROMPT = {"residual_gain": rows}
