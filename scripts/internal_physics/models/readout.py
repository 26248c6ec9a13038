"""The readout of any architecture: final norm and head, as the model itself applies them to a residual.

No architecture is named: every block is swapped for one that returns a given residual, and the model is run.
Soft-capping, logit scaling and masked-LM transforms are included automatically.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from internal_physics.ground.errors import ArchitectureError, ConfigError
from internal_physics.models.anatomy import Anatomy, accepts, input_embedding
from internal_physics.models.stream import Output, hidden_input, run_through_hooks, stream_of

_UNFIT = (TypeError, AttributeError, RuntimeError, ValueError, IndexError)  # what a model raises for another's output
NAMED = -1
_MEMBERS = (0, 2, 3, 4, NAMED)  # of the tuple that a block returns; 0 for a tensor, NAMED for a dict
_PASSES = ((2, 5), (3, 7))  # prompts and tokens


class _StandIn(nn.Module):
    """Replaces a block: gives what `output` makes of its arguments, and everything else as the block does."""

    def __init__(self, stands_for: nn.Module, output: Callable[..., object]) -> None:
        super().__init__()
        self.__dict__["_output"], self.__dict__["_stands_for"] = output, stands_for
        self.runs_hooks = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.runs_hooks = True
        return super().__call__(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_stands_for"], name)

    def forward(self, *args: object, **kwargs: object) -> object:
        return self.__dict__["_output"](*args, **kwargs)


class Readout:
    """The readout of one model as a function of residuals, for a model in memory or one whose blocks were never loaded.

    Args:
        module: the model; its blocks are swapped out during each call, and put back.
        anatomy: where its blocks are.

    Raises:
        ArchitectureError: if the model does not turn a residual [n, d] into one row of logits each.
    """

    def __init__(self, module: PreTrainedModel, anatomy: Anatomy) -> None:
        self.module, self.anatomy = module, anatomy
        self.head = module.get_output_embeddings()
        self.n_members = _members_of_output(module, anatomy)

    @property
    def vocabulary(self) -> int:
        """V, the number of logits of a position."""
        return int(self.head.weight.shape[0])

    def logits(self, residual: np.ndarray) -> torch.Tensor:
        """Logits [n, v] of residuals [n, d], in the model's own type and on its device.

        Each row runs as a prompt of one token, so that no context limit applies: nothing outside the blocks mixes
        positions. Memory is that of n rows of logits; callers choose n.
        """
        return _apart(self.module, self.anatomy, self._tensor(residual)[:, None], self.n_members)[:, 0]

    @torch.no_grad()
    def head_logits(self, residual: np.ndarray) -> torch.Tensor:
        """Logits [n, v] of the output embedding alone: no norm, transform, soft-capping or scaling (as published).

        Raises:
            ConfigError: if the output embedding does not take residuals as they are: it is narrower or wider.
        """
        takes = self.head.weight.shape[-1]
        if takes != residual.shape[-1]:
            raise ConfigError(
                f"final_norm: false applies the output embedding to the raw residual, and it takes {takes} numbers "
                f"where the residual stream of {self.anatomy.architecture} has {residual.shape[-1]}",
                where="information → final_norm",
                expected="a model whose output embedding is as wide as its residual stream",
                todo="use final_norm: true, which reads through all that the model has between the two",
            )
        return self.head(self._tensor(residual))

    def _tensor(self, residual: np.ndarray) -> torch.Tensor:
        return torch.tensor(residual).to(self.head.weight.device, self.head.weight.dtype)


def _apart(module: PreTrainedModel, anatomy: Anatomy, residual: torch.Tensor, n_members: int) -> torch.Tensor:
    """`readout` as in recording, where gradients flow: a pass without them would make bitsandbytes repack 4-bit
    weights on some CPUs, after which they give no gradient, and small ones fail.
    """
    with torch.enable_grad():
        return readout(module, anatomy, residual.requires_grad_(), n_members=n_members).detach()


def members_of(output: Output) -> int:
    """How many members a block's output has, as `readout` takes it."""
    if isinstance(output, dict):
        return NAMED
    return 0 if isinstance(output, torch.Tensor) else len(output)


def _members_of_output(module: PreTrainedModel, anatomy: Anatomy) -> int:
    """Try the kinds of block output on two zero residuals; a wrong one fails, or gives logits of another shape."""
    head = module.get_output_embeddings().weight
    zeros = torch.zeros(2, 1, anatomy.width, device=head.device, dtype=head.dtype)
    problems = []
    for n_members in _MEMBERS:
        try:
            shape = _apart(module, anatomy, zeros, n_members).shape
        except _UNFIT as error:
            problems.append(str(error))
            continue
        if shape[:2] == (2, 1) and len(shape) == 3:
            return n_members
        problems.append(f"logits of shape {tuple(shape)}")
    raise ArchitectureError(
        f"its readout does not run apart from its blocks: {'; '.join(problems)}", where=anatomy.architecture
    )


def readout(model: PreTrainedModel, anatomy: Anatomy, residual: torch.Tensor, *, n_members: int) -> torch.Tensor:
    """Logits [b, t, v] = head(final norm(residual)), for a residual [b, t, d] taken between blocks.

    Args:
        model: the model; left as it was.
        anatomy: where its blocks are.
        residual: [b, t, d].
        n_members: of the tuple that the model's blocks return; 0 if they return a tensor, NAMED for a dict.
    """

    def give(*args: torch.Tensor, **kwargs: torch.Tensor) -> object:
        """The residual, whatever the block is given: so the model runs as many as its config says."""
        hidden = anatomy.stream.change(hidden_input(args, kwargs), residual.shape[1], lambda _: residual.clone())
        if n_members == NAMED:
            return _Everything(hidden)
        return (hidden, *[None] * (n_members - 1)) if n_members else hidden

    with _replacing(model, anatomy, give):
        return _run(model, *residual.shape[:2]).logits


def with_stream(model: PreTrainedModel, anatomy: Anatomy) -> Anatomy:
    """The anatomy with its residual stream as it enters the first block; as it was, where that cannot be seen.

    Two passes are run up to there. Blocks that the model runs past their hooks are made to run them.
    """
    shapes: list[tuple[int, ...]] = []

    def look(*args: torch.Tensor, **kwargs: torch.Tensor) -> None:
        shapes.append(tuple(hidden_input(args, kwargs).shape))
        raise _SeenError

    with _replacing(model, anatomy, look) as stand_ins:
        for n_prompts, n_tokens in _PASSES:
            try:
                _run(model, n_prompts, n_tokens)
            except _SeenError:
                continue
            except (*_UNFIT, KeyError):
                return anatomy
    if not any(stand_in.runs_hooks for stand_in in stand_ins):
        for block in anatomy.blocks(model):
            run_through_hooks(block)
    stream = stream_of(shapes, _PASSES, anatomy.width)
    return anatomy if stream is None else replace(anatomy, stream=stream, width=stream.width or anatomy.width)


class _Everything(dict):
    """A dict that has the same value under every name."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self._value = value

    def __missing__(self, _name: object) -> torch.Tensor:
        return self._value


class _SeenError(Exception):
    """Ends a pass of which enough was seen."""


def _run(model: PreTrainedModel, n_prompts: int, n_tokens: int) -> Any:
    padding = getattr(model.config.get_text_config(), "pad_token_id", None)
    ordinary = int(padding == 0)  # some models count the tokens that are no padding
    ids = torch.full((n_prompts, n_tokens), ordinary, device=input_embedding(model).weight.device)
    extra = {"use_cache": False} if accepts(model, "use_cache") else {}
    return model(ids, attention_mask=torch.ones_like(ids), **extra)


@contextmanager
def _replacing(model: PreTrainedModel, anatomy: Anatomy, output: Callable[..., object]) -> Iterator[list[_StandIn]]:
    paths = (*anatomy.earlier_parts, anatomy.blocks_path)
    lists = {path: cast(nn.ModuleList, model.get_submodule(path)) for path in paths}
    stand_ins = {path: [_StandIn(block, output) for block in blocks] for path, blocks in lists.items()}
    try:
        for path, replaced in stand_ins.items():
            model.set_submodule(path, nn.ModuleList(replaced))
        yield stand_ins[paths[0]]
    finally:
        for path, blocks in lists.items():
            model.set_submodule(path, blocks)
