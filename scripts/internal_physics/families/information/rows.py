"""Information per layer: a Lens → tidy rows. Pure, no torch; lens.py defines a lens.

Index conventions: l residual position 0..L (attention: block 0..L-1), t token, h head, k rank from 1.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from internal_physics.families.information.attention import attention_metric_rows
from internal_physics.families.information.watched import WATCHED
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK, value_status
from internal_physics.records.trace import Trace
from internal_physics.tables.metric_rows import MetricRow

Row = dict[str, Any]
QUANTITIES = (
    "entropy_nats",
    "perplexity",
    "margin",
    "kl_uniform_nats",
    "surprisal_nats",
    "attention_entropy_nats",
    "attention_sink_mass",
    "kl_final_nats",
    "final_token_rank",
    "final_token_probability",
    "answer_rank",
    "answer_probability",
    "answer_margin_nats",
    "mean_entropy_nats",
    "mean_surprisal_nats",
    "settled_layer",
)
ANSWER = ("answer_rank", "answer_probability", "answer_margin_nats")
AT_READ_POSITION = ("margin", "kl_final_nats", "final_token_rank", *ANSWER)  # the parts of Lens.read
NOT_FINITE, NO_NEXT = "not finite", "one token: no next token"
_SURPRISALS = ("surprisal_nats", "mean_surprisal_nats")
N_FOLLOWED = 5  # of the model's most probable tokens, whose probability is followed along depth


@dataclass(frozen=True)
class Lens:
    """Results of reading one trace; every array is float64 or int64.

    Attributes:
        vocabulary: V.
        targets: [T], the token whose surprisal is taken; NO_TARGET where there is none.
        entropy_nats, surprisal_nats, top_probabilities: [L + 1, T]; surprisal NaN where there is no target.
        top_ids: [L + 1, T].
        read: at the read position, quantity → [L + 1]: those of AT_READ_POSITION.
        followed_id: the token that `answer_…` is of: the prompt's answer, else the model's own best token.
        layer_ids, layer_probabilities: [L + 1, k], the most probable tokens of each layer at the read position.
        final_ids: [k], the most probable tokens of the model itself; final_probabilities: [L + 1, k], along depth.
        watched_probabilities: [L + 1, w], of the tokens that were asked for.
        final_log_p: [V], what the model itself says at the read position.
    """

    vocabulary: int
    targets: np.ndarray
    entropy_nats: np.ndarray
    surprisal_nats: np.ndarray
    top_ids: np.ndarray
    top_probabilities: np.ndarray
    read: dict[str, np.ndarray]
    followed_id: int
    layer_ids: np.ndarray
    layer_probabilities: np.ndarray
    final_ids: np.ndarray
    final_probabilities: np.ndarray
    watched_probabilities: np.ndarray
    final_log_p: np.ndarray

    def __repr__(self) -> str:
        n_residuals, n_tokens = self.top_ids.shape
        return f"Lens({n_residuals - 1} layers, {n_tokens} tokens, vocabulary of {self.vocabulary})"


def rows(trace: Trace, lens: Lens, watched: Sequence[str] = ()) -> list[MetricRow]:
    """One number per layer and quantity (QUANTITIES), and those of `attention_metric_rows`.

    At the read position (last token, or [MASK]) but for the means over positions. A causal model's last token has no
    next one, so there surprisal_nats is the mean over the positions that have one, as mean_surprisal_nats always is;
    a prompt of one token has neither, which the status says.
    Each watched token, given as text, has its probability, and the row its text.
    """
    has_next = bool((lens.targets >= 0).any())
    found = [
        row
        for quantity, values in _by_layer(lens, trace.info.read_position).items()
        for row in _rows(quantity, values, NOT_FINITE if has_next or quantity not in _SURPRISALS else NO_NEXT)
    ]
    for token, probabilities in zip(watched, lens.watched_probabilities.T, strict=True):
        found += [row._replace(text=token) for row in _rows(WATCHED, probabilities)]
    settled = settled_layer(lens.read["final_token_rank"])
    found += [MetricRow("settled_layer", settled, trace.n_layers, status=_status(settled))]
    return [*found, *attention_metric_rows(trace)]


def _by_layer(lens: Lens, t: int) -> dict[str, np.ndarray]:
    """Quantity → [L + 1], of the readout."""
    entropy, has_target = lens.entropy_nats[:, t], lens.targets >= 0
    values = {
        "entropy_nats": entropy,
        "perplexity": np.exp(entropy),
        "margin": lens.read["margin"],
        "kl_uniform_nats": np.maximum(math.log(lens.vocabulary) - entropy, 0.0),
        "kl_final_nats": lens.read["kl_final_nats"],
        "final_token_rank": lens.read["final_token_rank"],
        "final_token_probability": lens.final_probabilities[:, 0],
        **{name: lens.read[name] for name in ANSWER},
        "mean_entropy_nats": lens.entropy_nats.mean(axis=1),
        "mean_surprisal_nats": _mean_over(lens.surprisal_nats[:, has_target]),
    }
    own = lens.surprisal_nats[:, t] if has_target[t] else values["mean_surprisal_nats"]
    return values | {"surprisal_nats": own}


def _mean_over(values: np.ndarray) -> np.ndarray:
    """[L + 1, n] → [L + 1]; NaN of no values."""
    return values.mean(axis=1) if values.shape[1] else np.full(len(values), np.nan)


def settled_layer(ranks: np.ndarray) -> float:
    """The first residual from which on a token stays on top, 0..L; NaN where ranks are not finite.

    Where the last residual itself does not have it on top, it settles nowhere: NaN. So does the model's own best token
    with final_norm: false.

    Args:
        ranks: [L + 1], of the token at the read position.
    """
    on_top = ranks == 1
    if not on_top[-1]:
        return math.nan
    others = np.flatnonzero(~on_top)
    return float(others[-1] + 1) if len(others) else 0.0


def position_rows(trace: Trace, lens: Lens, text_of: Callable[[int], str]) -> Iterator[Row]:
    """Rows of every residual and position: the most probable token, the expected token, and the entropy.

    At the read position of a causal model, whose text ends there, the answer is expected if the prompt has one.
    """
    expected, surprisal = _expected(trace, lens)
    tokens = [text_of(i) for i in trace.info.token_ids]
    targets = [text_of(int(i)) if i >= 0 else "" for i in expected]
    for layer in range(trace.n_layers + 1):
        for t in range(trace.n_tokens):
            entropy = float(lens.entropy_nats[layer, t])
            yield {
                "layer": layer,
                "position": t,
                "is_read": t == trace.info.read_position,
                "token": tokens[t],
                "target": targets[t],
                "entropy_nats": entropy,
                "surprisal_nats": float(surprisal[layer, t]),
                "top_token": text_of(int(lens.top_ids[layer, t])) if math.isfinite(entropy) else "",
                "top_probability": float(lens.top_probabilities[layer, t]),
                "is_target": bool(lens.top_ids[layer, t] == expected[t]),
                "status": _status(entropy),
            }


def _expected(trace: Trace, lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """[T] tokens expected at each position, negative where none is, and their surprisal [L + 1, T]."""
    expected, surprisal, t = lens.targets.copy(), lens.surprisal_nats.copy(), trace.info.read_position
    if expected[t] < 0 and trace.info.answer_id is not None:
        expected[t] = trace.info.answer_id
        with np.errstate(divide="ignore"):
            surprisal[:, t] = -np.log(lens.read["answer_probability"])
    return expected, surprisal


def token_rows(lens: Lens, text_of: Callable[[int], str]) -> Iterator[Row]:
    """At the read position: rows of kind layer (a layer's most probable) and final (the model's, along depth)."""
    for layer, (ids, probabilities) in enumerate(zip(lens.layer_ids, lens.layer_probabilities, strict=True)):
        for rank, (token, p) in enumerate(zip(ids, probabilities, strict=True), start=1):
            yield _token_row(layer, "layer", rank, text_of(int(token)), float(p))
    for layer, probabilities in enumerate(lens.final_probabilities):
        followed = zip(lens.final_ids[:N_FOLLOWED], probabilities, strict=False)
        for rank, (token, p) in enumerate(followed, start=1):
            yield _token_row(layer, "final", rank, text_of(int(token)), float(p))


def prediction_rows(
    trace: Trace, lens: Lens, text_of: Callable[[int], str], *, k: int, sampling: bool, seed: int
) -> Iterator[Row]:
    """The k predicted tokens at the read position, with their probability at the lens's temperature.

    Greedy: the most probable ones, best first. Sampled: k different ones in the order drawn; the draw depends on seed,
    prompt set and prompt alone, so that models with one vocabulary, and conditions, are drawn with the same noise.
    """
    log_p = lens.final_log_p
    status = _status(log_p.max())
    noise = _gumbel(trace, seed, len(log_p)) if sampling else 0.0
    order = np.argsort(-(log_p + noise), kind="stable")[:k]
    for rank, token in enumerate(order, start=1):
        yield {
            "text": trace.info.text,
            "token": text_of(int(token)) if status == OK else "",
            "probability": float(np.exp(log_p[token])),
            "rank": rank,
            "status": status,
        }


def _gumbel(trace: Trace, seed: int, size: int) -> np.ndarray:
    """Standard Gumbel noise [size]: the k largest of ln p + noise are k draws without replacement (Gumbel-top-k)."""
    own_seed = seed_of(seed, trace.info.labels["prompt_set"], trace.info.prompt)
    return np.random.default_rng(own_seed).gumbel(size=size)


def _rows(quantity: str, values: np.ndarray, otherwise: str = NOT_FINITE) -> list[MetricRow]:
    return [
        MetricRow(quantity, float(value), layer, status=value_status(value, otherwise))
        for layer, value in enumerate(values)
    ]


def _token_row(layer: int, kind: str, rank: int, token: str, probability: float) -> Row:
    fields = {"layer": layer, "kind": kind, "rank": rank, "token": token, "probability": probability}
    return fields | {"status": _status(probability)}


def _status(value: float) -> str:
    return value_status(value, NOT_FINITE)
