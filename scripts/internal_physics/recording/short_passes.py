"""Short passes of a model over made-up tokens, with what they catch: for the proof of its anatomy."""

import torch

from internal_physics.models.anatomy import accepts
from internal_physics.models.coverage import Coverage
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.flow import Flow
from internal_physics.recording.loss import causal_targets, losses_nats
from internal_physics.recording.taps import Taps
from internal_physics.recording.wiring import Wiring

N_TOKENS = 6


def some_ids(model: LoadedModel, n_tokens: int = N_TOKENS) -> torch.Tensor:
    """[1, t] ids spread over the vocabulary, different ones if it is as large."""
    n = model.n_embeddings
    ids = (torch.arange(1, n_tokens + 1) * n) // (n_tokens + 2)
    return ids[None].to(model.device)


def logits_of(model: LoadedModel, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """[n, t, V] of a pass over ids [n, t]; the mask is 0 at padding."""
    extra: dict[str, object] = {"use_cache": False} if accepts(model.module, "use_cache") else {}
    if model.explicit_positions:
        extra["position_ids"] = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape[0], -1)
    return model.module(input_ids=ids, attention_mask=torch.ones_like(ids) if mask is None else mask, **extra).logits


def tapped(model: LoadedModel, ids: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, Flow]:
    """Logits of a pass in which embeddings need gradients, as in recording: a bare no-gradient pass would make
    bitsandbytes repack 4-bit weights on some CPUs, after which they give no gradient.
    """
    with torch.enable_grad(), Taps(model.module, model.anatomy, _lengths(ids, mask), factors=False) as flow:
        return logits_of(model, ids, mask).detach(), flow


def _lengths(ids: torch.Tensor, mask: torch.Tensor | None) -> list[int]:
    return [ids.shape[1]] * ids.shape[0] if mask is None else mask.sum(dim=1).tolist()


def some_loss(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The sum of the losses of all rows, in nats."""
    return losses_nats(logits, causal_targets(ids.tolist(), ids.shape[1], logits.device)).sum()


def pass_with(model: LoadedModel, ids: torch.Tensor, coverage: Coverage, *, thorough: bool = False) -> Taps:
    """The taps of another pass, in which some weights are kept whole."""
    wiring = Wiring(model.module, model.anatomy, coverage)
    taps = Taps(model.module, model.anatomy, [ids.shape[1]], wiring=wiring, thorough=thorough)
    with torch.enable_grad(), taps:
        some_loss(logits_of(model, ids), ids).backward()
    return taps
