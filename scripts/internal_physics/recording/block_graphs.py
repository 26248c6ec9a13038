"""The blocks of a model in a graph each, from the residual of the read position to what the block makes of it.

A pass is cut at every residual of the read position t, whose other tokens are held fixed. Three passes give the same
graphs at different cost: over all tokens; with products of weights differentiated in the row of t alone; and, of a
causal model, over the last token alone, with keys and values of the others from a cache. The last two are right only
where nothing at other tokens depends on t and returns to it: `jacobians` proves that.

Index conventions: l residual 0..L, t token, d width.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from internal_physics.config.options.record import RecordOptions
from internal_physics.models.anatomy import accepts
from internal_physics.models.loading import LoadedModel
from internal_physics.models.stream import tap_stream
from internal_physics.recording.encoding import Encoded
from internal_physics.recording.operands import Part
from internal_physics.recording.recorder import model_inputs, wiring_of
from internal_physics.recording.watch import Run, Watch
from internal_physics.recording.watched import EveryFunction, OnWeights, can_be_watched
from internal_physics.steering.intervention import Intervention, Steering

LOGGER = logging.getLogger("internal_physics")
_NO_SUCH_PASS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError)  # of a cache


@dataclass
class Graphs:
    """Per layer: the residual of the read position as a leaf [d], and as what the block before it made of its own.

    Attributes:
        n_tokens: that the pass ran over; a backward pass costs as much for each.
    """

    n_tokens: int
    leaves: dict[int, torch.Tensor] = field(default_factory=dict)
    made: dict[int, torch.Tensor] = field(default_factory=dict)

    def forget(self, layer: int) -> None:
        """Free the graph of a block."""
        self.made.pop(layer + 1, None)
        self.leaves.pop(layer, None)


def whole_pass(model: LoadedModel, encoded: Encoded, steering: Steering | None) -> Graphs:
    """The graphs of a pass over all tokens."""
    return _cut_pass(model, encoded, steering, nullcontext())


def row_pass(model: LoadedModel, encoded: Encoded, steering: Steering | None) -> Graphs:
    """The graphs of a pass over all tokens, in which products with weights are differentiated at t alone."""
    return _cut_pass(model, encoded, steering, _row_alone(model, encoded))


def last_token_pass(model: LoadedModel, encoded: Encoded, steering: Steering | None) -> Graphs | None:
    """The graphs of a pass over the last token alone; None where t is another one, or the model has no such pass."""
    n_tokens = len(encoded.ids)
    if n_tokens < 2 or encoded.read_position != n_tokens - 1 or not accepts(model.module, "past_key_values"):
        return None
    inputs = model_inputs(model, [encoded], attention_entropy=False)
    try:
        return _after_others(model, inputs, n_tokens, steering)
    except torch.OutOfMemoryError:
        raise
    except _NO_SUCH_PASS as error:
        LOGGER.debug("the last token does not run alone: %s", error)
        return None


def _after_others(
    model: LoadedModel, inputs: dict[str, Any], n_tokens: int, steering: Steering | None
) -> Graphs | None:
    """Run all tokens but the last one for their keys and values, then the last one."""
    before, last = slice(0, n_tokens - 1), slice(n_tokens - 1, n_tokens)
    steer = None if steering is None else Intervention(steering, [n_tokens], n_tokens)
    with torch.no_grad(), _seen(model, n_tokens - 1, _steered(steer, before)):
        found = model.module(**_of_tokens(inputs, before, ("input_ids", "position_ids", "attention_mask")))
    if getattr(found, "past_key_values", None) is None:
        return None
    graphs = Graphs(n_tokens=1)
    own = _of_tokens(inputs, last, ("input_ids", "position_ids")) | {"past_key_values": found.past_key_values}
    with torch.enable_grad(), _seen(model, 1, _cut(graphs, 0, _steered(steer, last))):
        model.module(**own)
    return graphs


def _of_tokens(inputs: dict[str, Any], tokens: slice, names: Sequence[str]) -> dict[str, Any]:
    return {name: value[:, tokens] if name in names else value for name, value in inputs.items()} | {"use_cache": True}


def _steered(steer: Intervention | None, tokens: slice) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """The steering of some tokens of the prompt."""
    return (lambda residual, _: residual) if steer is None else steer.of(tokens)


def _cut_pass(
    model: LoadedModel, encoded: Encoded, steering: Steering | None, watched: AbstractContextManager
) -> Graphs:
    n_tokens = len(encoded.ids)
    graphs = Graphs(n_tokens)
    steer = None if steering is None else Intervention(steering, [n_tokens], n_tokens)
    see = _cut(graphs, encoded.read_position, _steered(steer, slice(None)))
    with torch.enable_grad(), _seen(model, n_tokens, see), watched:
        model.module(**model_inputs(model, [encoded], attention_entropy=False))
    return graphs


def _cut(
    graphs: Graphs, t: int, steer: Callable[[torch.Tensor, int], torch.Tensor]
) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """Steers a residual [1, tokens, d], and makes its token t a leaf of the graph of the next block."""

    def cut(residual: torch.Tensor, layer: int) -> torch.Tensor:
        residual = steer(residual, layer)
        if layer:
            graphs.made[layer] = residual[0, t]
        leaf = graphs.leaves[layer] = residual[0, t].detach().clone().requires_grad_()
        fixed = residual.detach()
        return torch.cat([fixed[:, :t], leaf[None, None], fixed[:, t + 1 :]], dim=1)

    return cut


@contextmanager
def _seen(model: LoadedModel, n_tokens: int, see: Callable[[torch.Tensor, int], torch.Tensor]) -> Iterator[None]:
    """Passes within go through `see` at every residual."""
    anatomy = model.anatomy

    def tap(hidden: torch.Tensor, layer: int) -> torch.Tensor:
        return anatomy.stream.change(hidden, n_tokens, lambda residual: see(residual, layer))

    handles = tap_stream(anatomy.entries(model.module), anatomy.blocks(model.module), anatomy.n_layers, tap)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _OneRow:
    """Differentiates products with weights in one row alone, that of a token; see `watch.Catches`.

    Args:
        n_tokens: of the prompt.
        token: which row.
    """

    def __init__(self, n_tokens: int, token: int) -> None:
        self.n_tokens, self.token = n_tokens, token

    def product(self, part: Part, given: torch.Tensor, run: Run, *, stored_out_first: bool) -> torch.Tensor:
        """Run a product; of an input that has a row for each token, only the own row is in the graph."""
        axes = [axis for axis, n in enumerate(given.shape[:-1]) if n != 1]
        if part.in_stack or len(axes) != 1 or given.shape[axes[0]] != self.n_tokens or not given.requires_grad:
            return run(given)
        (axis,) = axes
        with torch.no_grad():
            fixed = run(given)
        own = run(given.narrow(axis, self.token, 1))
        after = self.n_tokens - self.token - 1
        return torch.cat([fixed.narrow(axis, 0, self.token), own, fixed.narrow(axis, self.token + 1, after)], dim=axis)

    def products(self, parts: Sequence[Part], given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Products of a stack of matrices stay as they are."""
        return output

    def lookup(self, part: Part, ids: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Rows of a table stay as they are."""
        return rows


def _row_alone(model: LoadedModel, encoded: Encoded) -> AbstractContextManager:
    """A context in which products with weights are differentiated at the read position alone."""
    operands = wiring_of(model, RecordOptions(weight_gradients="none")).operands
    watch = Watch(operands, _OneRow(len(encoded.ids), encoded.read_position))
    every = model.coverage.every_function or not can_be_watched(operands.weights)
    return EveryFunction(watch) if every else OnWeights(watch, operands.weights)
