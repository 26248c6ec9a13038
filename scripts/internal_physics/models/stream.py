"""The residual stream: how it lies in the tensors that blocks take and give, and hooks that see it pass.

Most blocks take [prompts, tokens, width]. Some take the tokens first (XLNet), several streams side by side
(hyper-connections, AltUp), or the streams of several predicted tokens one after the other (ProphetNet). All that goes
from block to block is the residual stream: it is recorded as [prompts, tokens, width] with the streams of a token one
after the other, so that its width is their number times the width of one.

Index conventions: l residual position 0..L: what enters run l of a block, and what leaves the last run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from internal_physics.ground.errors import ConfigError


@dataclass(frozen=True)
class Stream:
    """Where prompts, tokens and features are in the tensor of a block.

    Attributes:
        prompts: its axis of prompts.
        tokens: its axis of tokens.
        features: sizes of its other axes, in their order; () as long as they are not known.
        per_token: how many entries of the axis of tokens each token has: all tokens once, then all again, and so on.
        is_padded: whether the model adds padding after the tokens (Longformer fills its window); only then may a
            tensor have more tokens than the prompts.
    """

    prompts: int = 0
    tokens: int = 1
    features: tuple[int, ...] = ()
    per_token: int = 1
    is_padded: bool = False

    @property
    def width(self) -> int:
        """Numbers of a token; 0 as long as they are not known."""
        return self.per_token * math.prod(self.features) if self.features else 0

    @property
    def is_plain(self) -> bool:
        """Whether the tensor is [prompts, tokens, width] as it is."""
        return (self.prompts, self.tokens, self.per_token) == (0, 1, 1) and len(self.features) <= 1

    def shape(self, n_prompts: int, n_tokens: int, width: int) -> tuple[int, ...]:
        """Of the tensor of a block, for a residual [prompts, tokens, width]; without padding."""
        return tuple(self.fold(torch.empty((n_prompts, n_tokens, width), device="meta")).shape)

    def has(self, shape: Sequence[int], expected: Sequence[int]) -> bool:
        """Whether the tensor of a block may have a shape, for the one that is expected without padding."""
        if not self.is_padded or len(shape) != len(expected):
            return tuple(shape) == tuple(expected)
        others = [axis for axis in range(len(shape)) if axis != self.tokens]
        return shape[self.tokens] >= expected[self.tokens] and all(shape[axis] == expected[axis] for axis in others)

    def unfold(self, hidden: torch.Tensor) -> torch.Tensor:
        """The tensor of a block → [prompts, tokens, width]."""
        if self.is_plain:
            return hidden
        apart = hidden.unflatten(self.tokens, (self.per_token, -1))
        return apart.movedim(self._axes, (0, 1)).flatten(2)

    def fold(self, residual: torch.Tensor) -> torch.Tensor:
        """[prompts, tokens, width] → the tensor of a block, the inverse of `unfold`."""
        if self.is_plain:
            return residual
        before = sum(axis < self.tokens for axis in self._others)
        sizes = (*self.features[:before], self.per_token, *self.features[before:])
        return residual.unflatten(2, sizes).movedim((0, 1), self._axes).flatten(self.tokens, self.tokens + 1)

    def change(self, hidden: torch.Tensor, n_tokens: int, edit: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """The tensor of a block with its residual [prompts, tokens, width] edited; itself, if that changes nothing."""
        unfolded = self.unfold(hidden)
        residual = unfolded[:, :n_tokens] if self.is_padded else unfolded
        edited = edit(residual)
        if edited is residual:
            return hidden
        return self.fold(torch.cat([edited, unfolded[:, n_tokens:]], dim=1) if self.is_padded else edited)

    @property
    def _axes(self) -> tuple[int, int]:
        """Axes of prompts and tokens once the axis of tokens is cut into (per_token, tokens)."""
        return self.prompts + (self.prompts > self.tokens), self.tokens + 1

    @property
    def _others(self) -> list[int]:
        n_axes = len(self.features) + 2
        return [axis for axis in range(n_axes) if axis not in (self.prompts, self.tokens)]


PLAIN = Stream()
PADDED = Stream(is_padded=True)


def hidden_input(args: tuple, kwargs: Mapping[str, Any]) -> torch.Tensor:
    """The tensor that a block is given as the stream: its first argument."""
    return args[0] if args else kwargs["hidden_states"]


def stream_of(shapes: Sequence[tuple[int, ...]], passes: Sequence[tuple[int, int]], width: int) -> Stream | None:
    """How a stream lies, from the shapes that it has in two passes of different numbers of prompts and of tokens.

    Args:
        shapes: of what enters the first block.
        passes: prompts and tokens.
        width: of one stream.

    Returns:
        None where prompts or tokens have no axis of their own.
    """
    (one, other), ((n_prompts, n_tokens), (m_prompts, m_tokens)) = shapes, passes
    if len(one) != len(other) or len(one) < 3:
        return None
    changed = [axis for axis in range(len(one)) if one[axis] != other[axis]]
    prompts = [axis for axis in changed if (one[axis], other[axis]) == (n_prompts, m_prompts)]
    tokens = [axis for axis in changed if one[axis] * m_tokens == other[axis] * n_tokens and axis not in prompts]
    if len(prompts) != 1 or len(tokens) != 1 or len(changed) != 2:
        return PADDED if all(PADDED.has(s, (n, t, width)) for s, (n, t) in zip(shapes, passes, strict=True)) else None
    features = tuple(n for axis, n in enumerate(one) if axis not in changed)
    return Stream(prompts[0], tokens[0], features, one[tokens[0]] // n_tokens)


Output = torch.Tensor | tuple | list | dict


def hidden_state(output: Output) -> torch.Tensor:
    """The hidden state in a block's output: the output itself, or the first member of a tuple, list or dict."""
    if isinstance(output, dict):
        return next(iter(output.values()))
    return output if isinstance(output, torch.Tensor) else output[0]


def _with_hidden_state(output: Output, hidden: torch.Tensor) -> Output:
    """A block's output with another hidden state."""
    if isinstance(output, dict):
        changed = copy(output)
        changed[next(iter(output))] = hidden
        return changed
    return hidden if isinstance(output, torch.Tensor) else (hidden, *output[1:])


def run_through_hooks(block: nn.Module) -> None:
    """Have a block run its hooks although its model calls `block.forward`, past them (SqueezeBERT)."""
    own = block.forward

    def forward(*args: object, **kwargs: object) -> object:
        block.forward = own
        try:
            return block(*args, **kwargs)
        finally:
            block.forward = forward

    block.forward = forward


See = Callable[[torch.Tensor, int], torch.Tensor]


def tap_stream(
    entries: nn.ModuleList, blocks: nn.ModuleList, n_layers: int, see: See
) -> list[torch.utils.hooks.RemovableHandle]:
    """Pass what enters every run of a block, and what leaves the last one, through `see(tensor, l)`.

    Args:
        entries: what the stream enters: the blocks, or their first parts.
        blocks: of the model, or their last parts; one that runs several times in a pass (ALBERT) stands there once.
        n_layers: L, runs of blocks in a pass; the count begins anew with the next pass.
        see: gives the tensor itself, or another one that takes its place.
    """
    if entries is not blocks:
        return _tap_parts(entries, blocks, see)
    n_runs = 0

    def before(_block: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        nonlocal n_runs
        hidden = hidden_input(args, kwargs)
        layer, n_runs = n_runs % n_layers, n_runs + 1
        kept = see(hidden, layer)
        if kept is hidden:
            return None
        return ((kept, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": kept})

    def after(_block: nn.Module, _args: tuple, output: Output) -> Output | None:
        if n_runs % n_layers:
            return None
        hidden = hidden_state(output)
        kept = see(hidden, n_layers)
        return None if kept is hidden else _with_hidden_state(output, kept)

    handles = [block.register_forward_pre_hook(before, with_kwargs=True) for block in blocks]
    return [*handles, blocks[-1].register_forward_hook(after)]


def _tap_parts(entries: nn.ModuleList, exits: nn.ModuleList, see: See) -> list[torch.utils.hooks.RemovableHandle]:
    """As `tap_stream`, for blocks in parts: what the model adds to the stream goes past the first part.

    So the stream is changed where it leaves a block, and cannot be changed before the first. Models may change it in
    place after that (to clear padding), therefore they get a copy.
    """

    def enter(_part: nn.Module, args: tuple, kwargs: dict) -> None:
        hidden = hidden_input(args, kwargs)
        if see(hidden, 0) is not hidden:
            raise ConfigError(
                "what enters the first block of this model goes past it too, and cannot be changed",
                where="conditions",
                expected="steering at residual 1 or later",
            )

    def leave(layer: int) -> Callable[[nn.Module, tuple, Output], Output]:
        return lambda _part, _args, output: _with_hidden_state(output, see(hidden_state(output), layer + 1).clone())

    handles = [entries[0].register_forward_pre_hook(enter, with_kwargs=True)]
    return [*handles, *(part.register_forward_hook(leave(layer)) for layer, part in enumerate(exits))]
