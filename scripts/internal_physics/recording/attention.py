"""What is kept of attention rows: their entropy, and whether they are distributions.

A softmax row sums to 1. A row with a sink (an extra outcome to which a head may give mass instead of to a token)
is returned without it and sums to less: the missing mass is the sink's, and counts as one outcome. A row of sigmoids
sums to anything and has no entropy. The kind of a model's rows is found from the rows, not from its name.

Index conventions: b prompt of the batch, h head, t query token, s key token; one entry per layer.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import nn

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.arrays import to_numpy
from internal_physics.recording.taps import Taps
from internal_physics.records.trace import Key

N_PROBE_TOKENS = 6
_FLOOR = 1e-5  # some models compute their attention in float32 whatever their type
_RAISED = 30.0  # a logit with which a sink takes nearly all the mass


class Rows(IntEnum):
    """Kind of the attention rows of one layer; if two passes disagree, the larger one is taken."""

    DISTRIBUTIONS = 0
    WITH_SINK = 1
    WITHOUT_THEIR_SINK = 2  # it scales the output after the rows, which sum to 1 anyway
    NO_DISTRIBUTIONS = 3


@dataclass(frozen=True)
class LayerRows:
    """One layer's rows, summed up: entropy over the tokens, total and lowest entry [b, h, t]; tolerance of a total."""

    entropy_nats: torch.Tensor
    total: torch.Tensor
    lowest: torch.Tensor
    tolerance: float

    def kind(self, b: int | slice, n_tokens: int) -> Rows:
        """Kind of the rows of a prompt's own tokens. Rows that are not finite are ignored."""
        total, lowest = self.total[b, ..., :n_tokens], self.lowest[b, ..., :n_tokens]
        if bool((total > 1 + self.tolerance).any() or (lowest < -self.tolerance).any()):
            return Rows.NO_DISTRIBUTIONS
        return Rows.WITH_SINK if bool((total < 1 - self.tolerance).any()) else Rows.DISTRIBUTIONS


def layer_rows(attentions: Sequence[torch.Tensor | None] | None, anatomy: Anatomy) -> list[LayerRows]:
    """Sum up the rows [b, h, t, s] of every layer; empty if the model returns no attention.

    Raises:
        ArchitectureError: for another number of attention tensors than of blocks.
    """
    if not attentions:
        return []
    given = [a for a in attentions if a is not None]
    if len(given) < len(attentions):
        return []
    if len(given) != anatomy.n_layers:
        raise ArchitectureError(
            f"{len(given)} attention tensors for {anatomy.n_layers} blocks", where=anatomy.architecture
        )
    return [_summed(a.detach()) for a in given]


def _summed(rows: torch.Tensor) -> LayerRows:
    wide = rows.double()
    tolerance = max(2 * torch.finfo(rows.dtype).eps, _FLOOR)  # twice what rounding the entries can do to their sum
    return LayerRows(torch.special.entr(wide).sum(dim=-1), wide.sum(dim=-1), rows.amin(dim=-1), tolerance)


def attention_tensors(rows: Sequence[LayerRows], b: int, n_tokens: int, known: Sequence[int]) -> dict[Key, np.ndarray]:
    """The tensors of one prompt: entropy_nats [H, T], and row_sum [H, T] of a layer whose rows are more or less than 1.

    Args:
        rows: of the batch, per layer.
        b: the prompt.
        n_tokens: its length.
        known: the known kind of each layer's rows; if empty, it is read from these rows alone.

    Returns:
        With a sink, entropies that count its mass as one more outcome; NaN if rows are not distributions, or are given
        without their sink.
    """
    tensors = {}
    for layer, own in enumerate(rows):
        kind = max(own.kind(b, n_tokens), known[layer] if known else Rows.DISTRIBUTIONS)
        entropy, total = own.entropy_nats[b, :, :n_tokens], own.total[b, :, :n_tokens]
        if kind == Rows.WITH_SINK:
            entropy = entropy + torch.special.entr((1 - total).clamp(min=0.0))
        elif kind > Rows.WITH_SINK:
            entropy = torch.full_like(entropy, torch.nan)
        tensors[Key("attention", layer, "entropy_nats")] = to_numpy(entropy)
        if kind != Rows.DISTRIBUTIONS:
            tensors[Key("attention", layer, "row_sum")] = to_numpy(total)
    return tensors


def learn_attention_rows(model: LoadedModel) -> None:
    """Find the kind of a model's attention rows on one short pass, once, and write it into `model.attention_rows`.

    A short prompt alone may not show it: two sigmoids can sum to less than 1. Where rows sum to 1 and the layer has a
    parameter that is called a sink, the sink is raised for one more pass: rows that do not change are returned without
    it.
    """
    if model.attention_rows:
        return
    kinds = _kinds(model)
    silent = {layer: p for layer, p in _sinks(model).items() if kinds and kinds[layer] == Rows.DISTRIBUTIONS}
    if silent:
        with _raised([parameter for parameters in silent.values() for parameter in parameters]):
            raised = _kinds(model)
        for layer in silent:
            kinds[layer] = Rows.WITHOUT_THEIR_SINK if raised[layer] == Rows.DISTRIBUTIONS else Rows.WITH_SINK
    model.attention_rows = tuple(kinds)


def _kinds(model: LoadedModel) -> list[Rows]:
    """Kind of the rows of a few different tokens. Embeddings need gradients, as in recording: see selfcheck."""
    n = model.n_embeddings
    ids = ((torch.arange(1, N_PROBE_TOKENS + 1) * n) // (N_PROBE_TOKENS + 2))[None].to(model.device)
    extra: dict[str, object] = {"use_cache": False} if accepts(model.module, "use_cache") else {}
    with torch.enable_grad(), Taps(model.module, model.anatomy, [N_PROBE_TOKENS], factors=False):
        output = model.module(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True, **extra)
    rows = layer_rows(getattr(output, "attentions", None), model.anatomy)
    return [own.kind(slice(None), N_PROBE_TOKENS) for own in rows]


def _sinks(model: LoadedModel) -> dict[int, list[nn.Parameter]]:
    """Layer → its parameters that are called sinks."""
    sinks = {}
    for layer, block in enumerate(model.anatomy.blocks(model.module)):
        named = [p for name, p in block.named_parameters() if "sink" in name and p.is_floating_point()]
        if named:
            sinks[layer] = named
    return sinks


@contextmanager
def _raised(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    before = [p.detach().clone() for p in parameters]
    try:
        with torch.no_grad():
            for p in parameters:
                p.abs_().add_(_RAISED)
        yield
    finally:
        with torch.no_grad():
            for p, old in zip(parameters, before, strict=True):
                p.copy_(old)
