"""What is kept of attention rows: their entropy, and whether they are distributions.

Not every block has attention (a state space, a convolution, a linear attention), and some have two. Which block each
returned tensor comes from is found on one short pass: a module in the block gives that very tensor.

A softmax row sums to 1. A row with a sink (an extra outcome to which a head may give mass instead of to a token)
is returned without it and sums to less: the missing mass is the sink's, and counts as one outcome. A row of sigmoids
sums to anything and has no entropy. The kind of a model's rows is found from the rows, not from its name.

Index conventions: b prompt of the batch, h head, t query token, s key token.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from torch import nn

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, accepts
from internal_physics.models.loading import LoadedModel
from internal_physics.recording.arrays import ToHost, is_on_host, to_numpy
from internal_physics.recording.taps import Taps
from internal_physics.records.trace import Key

N_PROBE_TOKENS = 6
_FLOOR = 1e-5  # some models compute their attention in float32 whatever their type
_ROWS_NDIM = 4  # [b, h, t, s]
_MOST_TOGETHER = 2**20  # entries of the rows of all layers that are summed up together
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
        return _kind(self.total[b, ..., :n_tokens], self.lowest[b, ..., :n_tokens], self.tolerance)


def _kind(total: torch.Tensor | np.ndarray, lowest: torch.Tensor | np.ndarray, tolerance: float) -> Rows:
    if bool((total > 1 + tolerance).any() or (lowest < -tolerance).any()):
        return Rows.NO_DISTRIBUTIONS
    return Rows.WITH_SINK if bool((total < 1 - tolerance).any()) else Rows.DISTRIBUTIONS


def attentions_of(output: object) -> Sequence[torch.Tensor | None] | None:
    """The attention that a model returns of its blocks; an encoder-decoder calls it the decoder's."""
    return getattr(output, "attentions", None) or getattr(output, "decoder_attentions", None)


def layer_rows(
    attentions: Sequence[torch.Tensor | None] | None, anatomy: Anatomy, blocks: Sequence[int] = ()
) -> dict[int, LayerRows]:
    """Sum up the rows [b, h, t, s] of every block that returns some; empty if the model returns no attention.

    The heads of a block that returns several tensors stand one after the other.

    Args:
        attentions: as the model returns them.
        anatomy: of the model.
        blocks: the block that each returned tensor comes from; without it, one tensor for each block is expected.

    Raises:
        ArchitectureError: if it is not known which block each tensor comes from.
    """
    given = _given(attentions)
    if not given:
        return {}
    if not blocks and len(given) == len(attentions or ()) == anatomy.n_layers:
        blocks = range(anatomy.n_layers)
    if len(blocks) != len(given):
        raise ArchitectureError(
            f"{len(given)} attention tensors for {anatomy.n_layers} blocks: it is not known which block gives which",
            where=anatomy.architecture,
            expected="attention tensors that come from modules inside the blocks",
            todo="set record.attention_entropy to false",
        )
    of_block: dict[int, list[torch.Tensor]] = {}
    for layer, rows in zip(blocks, given, strict=True):
        of_block.setdefault(layer, []).append(rows.detach())
    return _summed_together({layer: _side_by_side(rows) for layer, rows in sorted(of_block.items())})


def _side_by_side(rows: list[torch.Tensor]) -> torch.Tensor:
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)


def _summed_together(rows: Mapping[int, torch.Tensor]) -> dict[int, LayerRows]:
    """Sum up the rows of each layer: those of all layers in few steps, if they are alike and not many."""
    alike = len({(own.shape, own.dtype, own.device) for own in rows.values()}) == 1
    if not alike or sum(own.numel() for own in rows.values()) > _MOST_TOGETHER:
        return {layer: _summed(own) for layer, own in rows.items()}
    found = _summed(torch.stack([*rows.values()]))
    parts = zip(rows, found.entropy_nats, found.total, found.lowest, strict=True)
    return {layer: LayerRows(entropy, total, low, found.tolerance) for layer, entropy, total, low in parts}


def _given(attentions: Sequence[torch.Tensor | None] | None) -> list[torch.Tensor]:
    """The tensors of rows [b, h, t, s]: a block without attention gives None, or a state of another shape."""
    return [a for a in attentions or () if a is not None and a.ndim == _ROWS_NDIM]


def _summed(rows: torch.Tensor) -> LayerRows:
    wide = rows.double()
    tolerance = max(2 * torch.finfo(rows.dtype).eps, _FLOOR)  # twice what rounding the entries can do to their sum
    return LayerRows(torch.special.entr(wide).sum(dim=-1), wide.sum(dim=-1), rows.amin(dim=-1), tolerance)


def on_host(rows: Mapping[int, LayerRows], to_host: ToHost) -> dict[int, LayerRows]:
    """The same rows by layer, on the host once `to_host` has waited: one copy for each layer."""
    return {layer: own if is_on_host(own.total) else _copied(own, to_host) for layer, own in rows.items()}


def _copied(rows: LayerRows, to_host: ToHost) -> LayerRows:
    parts = to_host.start(torch.stack([rows.entropy_nats, rows.total, rows.lowest.double()]))
    return LayerRows(parts[0], parts[1], parts[2], rows.tolerance)


def attention_tensors(
    rows: Mapping[int, LayerRows], b: int, n_tokens: int, known: Mapping[int, int]
) -> dict[Key, np.ndarray]:
    """The tensors of one prompt: entropy_nats [H, T], and row_sum [H, T] of a layer whose rows are more or less than 1.

    Args:
        rows: of the batch, by layer; a block without attention has none.
        b: the prompt.
        n_tokens: its length.
        known: the known kind of a layer's rows; where it is not known, it is read from these rows alone.

    Returns:
        With a sink, entropies that count its mass as one more outcome; NaN if rows are not distributions, or are given
        without their sink.
    """
    tensors = {}
    for layer, own in rows.items():
        parts = (own.entropy_nats, own.total, own.lowest)
        entropy, total, lowest = (to_numpy(part[b, :, :n_tokens]) for part in parts)
        kind = max(_kind(total, lowest, own.tolerance), known.get(layer, Rows.DISTRIBUTIONS))
        if kind == Rows.WITH_SINK:
            entropy = entropy + to_numpy(torch.special.entr((1 - torch.from_numpy(total)).clamp(min=0.0)))
        elif kind > Rows.WITH_SINK:
            entropy = np.full_like(entropy, np.nan)
        tensors[Key("attention", layer, "entropy_nats")] = entropy
        if kind != Rows.DISTRIBUTIONS:
            tensors[Key("attention", layer, "row_sum")] = total
    return tensors


def learn_attention_rows(model: LoadedModel) -> None:
    """Find where a model's attention rows come from and of what kind they are, once: `attention_blocks`, `…_rows`.

    A short prompt alone may not show the kind: two sigmoids can sum to less than 1. Where rows sum to 1 and the layer
    has a parameter that is called a sink, the sink is raised for one more pass: rows that do not change are returned
    without it.

    Raises:
        ArchitectureError: as `layer_rows`.
    """
    if model.attention_rows:
        return
    kinds, blocks = _kinds(model)
    silent = {layer: p for layer, p in _sinks(model).items() if kinds.get(layer) == Rows.DISTRIBUTIONS}
    if silent:
        with _raised([parameter for parameters in silent.values() for parameter in parameters]):
            raised, _ = _kinds(model)
        for layer in silent:
            kinds[layer] = Rows.WITHOUT_THEIR_SINK if raised[layer] == Rows.DISTRIBUTIONS else Rows.WITH_SINK
    model.attention_rows, model.attention_blocks = kinds, blocks


def _kinds(model: LoadedModel) -> tuple[dict[int, Rows], tuple[int, ...]]:
    """Kind of the rows of a few different tokens, by layer, and the block of each tensor of rows.

    Embeddings need gradients, as in recording: see selfcheck.
    """
    n = model.n_embeddings
    ids = ((torch.arange(1, N_PROBE_TOKENS + 1) * n) // (N_PROBE_TOKENS + 2))[None].to(model.device)
    extra: dict[str, object] = {"use_cache": False} if accepts(model.module, "use_cache") else {}
    taps = Taps(model.module, model.anatomy, [N_PROBE_TOKENS], factors=False)
    with torch.enable_grad(), taps, _Makers(model) as makers:
        output = model.module(input_ids=ids, attention_mask=torch.ones_like(ids), output_attentions=True, **extra)
    given = attentions_of(output)
    blocks = makers.blocks_of(_given(given))
    rows = layer_rows(given, model.anatomy, blocks)
    return {layer: own.kind(slice(None), N_PROBE_TOKENS) for layer, own in rows.items()}, blocks


class _Makers:
    """Notes in which block each tensor is made that a module inside a block gives: the block that runs at the time."""

    def __init__(self, model: LoadedModel) -> None:
        self._entries = model.anatomy.entries(model.module)
        inside = ((name, m) for name, m in model.module.named_modules() if model.anatomy.is_in_blocks(name))
        self._inside = {id(m): m for _, m in inside}
        self._made: dict[int, tuple[torch.Tensor, int]] = {}  # the tensors are kept, so that no id is given twice
        self._layer = -1

    def __enter__(self) -> "_Makers":
        self._handles = [entry.register_forward_pre_hook(self._begin) for entry in self._entries]
        self._handles += [module.register_forward_hook(self._keep) for module in self._inside.values()]
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _begin(self, _module: nn.Module, _args: tuple) -> None:
        self._layer += 1

    def _keep(self, _module: nn.Module, _args: tuple, output: object) -> None:
        for tensor in output if isinstance(output, tuple | list) else (output,):
            if isinstance(tensor, torch.Tensor) and tensor.ndim == _ROWS_NDIM:
                self._made.setdefault(id(tensor), (tensor, self._layer))

    def blocks_of(self, tensors: Sequence[torch.Tensor]) -> tuple[int, ...]:
        """The block of each tensor; empty if one was made by no module of a block."""
        found = [self._made.get(id(tensor)) for tensor in tensors]
        return tuple(made[1] for made in found if made is not None) if all(found) else ()


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
