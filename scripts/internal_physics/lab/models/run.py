"""Running lab models: loading a snapshot of a training, losses of rows, and continuing prompts.

Index conventions: b row, t token, v vocabulary.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from internal_physics.lab.data.batches import Batch
from internal_physics.lab.data.vocabulary import END_ID, PADDING_ID
from internal_physics.lab.models.masked import is_masked
from internal_physics.models.heads import HEADS

ROWS_PER_PASS = 256


def load_model(snapshot: str | Path, task: str = "causal", device: str = "cpu") -> PreTrainedModel:
    """A lab model of a training, frozen, in float32 and eval mode, with torch's fused attention."""
    model = HEADS[task].from_pretrained(str(snapshot), dtype=torch.float32, attn_implementation="sdpa")
    return model.to(device).eval().requires_grad_(False)


def load_trained(snapshot: str | Path, device: str = "cpu") -> PreTrainedModel:
    """A lab model as `load_model` gives it, causal or masked, whichever it is."""
    return load_model(snapshot, "masked" if is_masked(str(snapshot)) else "causal", device)


@torch.no_grad()
def token_losses_nats(model: PreTrainedModel, tokens: np.ndarray, rows_per_pass: int = ROWS_PER_PASS) -> np.ndarray:
    """[b, t] float32: minus the log-probability of each token after those before it; 0 for the first of a row.

    Padding has a loss too, which the caller leaves out.
    """
    losses = np.zeros(tokens.shape, np.float32)
    for rows, ids in _passes(tokens, rows_per_pass, model):
        logits = model(ids[:, :-1]).logits
        nats = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
        losses[rows, 1:] = nats.view(len(ids), -1).cpu().numpy()
    return losses


def mean_loss_nats(model: PreTrainedModel, batch: Batch) -> float:
    """The weighted mean loss of a batch, as training has it."""
    weights = batch.loss_weights
    return float((token_losses_nats(model, batch.tokens) * weights).sum() / weights.sum())


@torch.no_grad()
def continue_rows(
    model: PreTrainedModel,
    prompts: np.ndarray,
    n_new: int,
    *,
    seed: int | None = None,
    rows_per_pass: int = ROWS_PER_PASS,
) -> np.ndarray:
    """[b, n_new] int64 tokens after prompts [b, t] of one length; after `<eos>` there is padding.

    Args:
        model: a causal lab model.
        prompts: whole, without padding.
        n_new: most tokens that are added.
        seed: of drawing from the model's distribution (temperature 1); None for its best token each time.
        rows_per_pass: rows that run together.
    """
    choose = _chooser(model, seed)
    new = np.full((len(prompts), n_new), PADDING_ID, np.int64)
    for rows, ids in _passes(prompts, rows_per_pass, model):
        given, open_rows = ids, np.arange(rows.start, rows.start + len(ids))
        for place in range(n_new):
            chosen = choose(model(given).logits[:, -1])
            new[open_rows, place] = chosen.cpu().numpy()
            goes_on = chosen != END_ID
            given = torch.cat([given, chosen[:, None]], dim=1)[goes_on]
            open_rows = open_rows[goes_on.cpu().numpy()]
            if not len(open_rows):
                break
    return new


def _chooser(model: Any, seed: int | None) -> Callable[[torch.Tensor], torch.Tensor]:
    if seed is None:
        return lambda logits: logits.argmax(-1)
    draws = torch.Generator(device=model.device).manual_seed(seed)
    return lambda logits: torch.multinomial(logits.softmax(-1), 1, generator=draws)[:, 0]


def _passes(tokens: np.ndarray, rows_per_pass: int, model: Any) -> Iterator[tuple[slice, torch.Tensor]]:
    for first in range(0, len(tokens), rows_per_pass):
        rows = slice(first, first + rows_per_pass)
        yield rows, torch.as_tensor(tokens[rows], dtype=torch.long, device=model.device)
