"""The logit lens: the prediction that the readout gives for every residual of one trace.

Index conventions: l residual position 0..L, t token 0..T-1, n rows of a chunk, v vocabulary entry, k rank, d width.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from internal_physics.families.information import distribution as of
from internal_physics.families.information.options import ReadingOptions, Target
from internal_physics.families.information.rows import AT_READ_POSITION, Lens
from internal_physics.records.trace import Trace

NO_TARGET = -1
SCRATCH_BYTES = 200_000_000  # of the logits of a chunk and two copies that the readout may make
_ENTRY_BYTES = 3 * 4
_BLOCK_BYTES = 2**25  # of the logits that are float64 at a time


class ReadsOut(Protocol):
    """What a lens needs from a model, as provided by `models.readout.Readout`."""

    @property
    def vocabulary(self) -> int:
        """V."""
        ...

    def logits(self, residual: np.ndarray) -> torch.Tensor:
        """Logits [n, v] of residuals [n, d]: final norm, head, and all that belongs to them."""
        ...

    def head_logits(self, residual: np.ndarray) -> torch.Tensor:
        """Logits [n, v] of the output embedding alone."""
        ...


@dataclass(frozen=True)
class LensOptions(ReadingOptions):
    """How residuals are read, and what else is kept.

    `final_norm: False` reads the last residual too through the output embedding alone. The published package reads
    transformers' hidden_states[-1] there, which is after the norm: its last value is the one that True gives.

    Attributes:
        watched_ids: further tokens that are followed along depth.
        scratch_bytes: bound of the logits of a chunk; those at the read position, [L + 1, v], are kept besides. Changes
            no value beyond float noise.
    """

    watched_ids: tuple[int, ...] = ()
    scratch_bytes: int = SCRATCH_BYTES


def lens(trace: Trace, readout: ReadsOut, options: LensOptions | None = None) -> Lens:
    """Read every residual of a trace.

    Args:
        trace: fresh or stored.
        readout: of the model that made it.
        options: temperature, target, conventions.

    Returns:
        The Lens; values are NaN where the residual is not finite.
    """
    options = options or LensOptions()
    targets = surprisal_targets(trace, options.target)
    everywhere, logits = _read_everywhere(trace, readout, options, targets)
    final = of.log_probabilities(_final_logits(trace, readout, options, logits), options.temperature)
    k = min(options.top_k, readout.vocabulary)
    top = final[0].topk(k).indices
    followed = int(top[0]) if trace.info.answer_id is None else trace.info.answer_id
    at_read = _read_position(logits, options, final, top, followed=followed)
    return Lens(readout.vocabulary, targets, **everywhere, **at_read, final_log_p=final[0].cpu().numpy())


def surprisal_targets(trace: Trace, target: Target) -> np.ndarray:
    """[T] token ids whose surprisal is taken at each position; NO_TARGET where nothing is predicted.

    next: causal, the token that follows, and none at the last position; masked, the answer at the [MASK] and none
    elsewhere; so the mean at l = L is the loss. self: the token at the position itself (the [MASK] too).
    """
    ids = np.array(trace.info.token_ids, dtype=np.int64)
    if target == "self":
        return ids
    targets = np.full(len(ids), NO_TARGET)
    if trace.info.task == "masked":
        targets[trace.info.read_position] = _answer(trace)
    else:
        targets[:-1] = ids[1:]
    return targets


def _answer(trace: Trace) -> int:
    """The prompt's answer, else the model's own best token, as in the loss."""
    if trace.info.answer_id is not None:
        return trace.info.answer_id
    return int(trace.tensor("logits", trace.n_layers, "top_ids")[0])


def _read_everywhere(
    trace: Trace, readout: ReadsOut, options: LensOptions, targets: np.ndarray
) -> tuple[dict[str, Any], torch.Tensor]:
    """What is known of every position, and the logits [L + 1, v] at the read position, in the model's own type."""
    shape = (trace.n_layers + 1, trace.n_tokens)
    found = {name: np.empty(shape) for name in ("entropy_nats", "surprisal_nats", "top_probabilities")}
    found["top_ids"] = np.empty(shape, dtype=np.int64)
    at_read_position = []
    size = max(1, options.scratch_bytes // (_ENTRY_BYTES * readout.vocabulary))
    for (layers, positions), residual in residual_chunks(trace, size):
        logits = _logits(readout, residual, options)
        wanted = torch.as_tensor(targets[positions], device=logits.device)
        for rows in _blocks(logits):
            values = of.summaries(logits[rows], wanted[rows], options.temperature)
            for name, value in values._asdict().items():
                found[name][layers[rows], positions[rows]] = value.cpu().numpy()
        at_read_position.append(logits[np.flatnonzero(positions == trace.info.read_position)])
    return found, torch.cat(at_read_position)


def _final_logits(trace: Trace, readout: ReadsOut, options: LensOptions, logits: torch.Tensor) -> torch.Tensor:
    """[1, v], what the model itself says at the read position: read there already, unless without the final norm."""
    if options.final_norm:
        return logits[-1:]
    return readout.logits(trace.residual(trace.n_layers)[trace.info.read_position][None])


def _read_position(
    logits: torch.Tensor, options: LensOptions, final: torch.Tensor, final_ids: torch.Tensor, *, followed: int
) -> dict[str, Any]:
    """Everything at the read position, from the logits [l, v] there; `final` [1, v] is what the model itself says,
    `followed` a token.
    """
    parts: dict[str, list[torch.Tensor]] = {}
    for rows in _blocks(logits):
        log_p = of.log_probabilities(logits[rows], options.temperature)
        top = log_p.topk(len(final_ids), dim=-1)
        values = {
            "margin": of.margin(log_p),
            "kl_final_nats": of.kl_nats(final, log_p),
            "final_token_rank": of.rank_of(log_p, int(final_ids[0])),
            "answer_rank": of.rank_of(log_p, followed),
            "answer_probability": log_p[:, followed].exp(),
            "answer_margin_nats": of.margin_of(log_p, followed),
            "layer_ids": top.indices,
            "layer_probabilities": top.values.exp(),
            "final_probabilities": log_p[:, final_ids].exp(),
            "watched_probabilities": log_p[:, list(options.watched_ids)].exp(),
        }
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    whole = {name: torch.cat(values).cpu().numpy() for name, values in parts.items()}
    read = {name: whole.pop(name) for name in AT_READ_POSITION}
    return {"read": read, "followed_id": followed, "final_ids": final_ids.cpu().numpy(), **whole}


def residual_chunks(trace: Trace, size: int) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """Every position of every residual, at most `size` at a time: ((layers [n], positions [n]), residuals [n, d]).

    Chunks run across layers, so that short prompts fill them too; each layer is read from disk once.
    """
    waiting: list[tuple[int, int, np.ndarray]] = []
    room = size
    for layer in range(trace.n_layers + 1):
        residual = trace.residual(layer)
        start = 0
        while start < len(residual):
            part = residual[start : start + room]
            waiting.append((layer, start, part))
            start, room = start + len(part), room - len(part)
            if room == 0:
                yield _joined(waiting)
                waiting, room = [], size
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[tuple[int, int, np.ndarray]]) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    layers = np.concatenate([np.full(len(part), layer) for layer, _, part in parts])
    positions = np.concatenate([np.arange(start, start + len(part)) for _, start, part in parts])
    return (layers, positions), np.concatenate([part for _, _, part in parts])


def _logits(readout: ReadsOut, residual: np.ndarray, options: LensOptions) -> torch.Tensor:
    return readout.logits(residual) if options.final_norm else readout.head_logits(residual)


def _blocks(logits: torch.Tensor) -> Iterator[slice]:
    """Rows that are looked at together: few enough for their float64 copies to be small."""
    size = max(1, _BLOCK_BYTES // (8 * logits.shape[1]))
    return (slice(start, start + size) for start in range(0, len(logits), size))
