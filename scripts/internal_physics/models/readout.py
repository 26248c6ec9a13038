"""The readout of any architecture: final norm and head, as the model itself applies them to a residual.

No architecture is named: every block is swapped for one that returns a given residual, and the model is run.
Soft-capping, logit scaling and masked-LM transforms are included automatically.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from internal_physics.ground.errors import ArchitectureError, ConfigError
from internal_physics.models.anatomy import Anatomy, accepts, input_embedding


class _Injector(nn.Module):
    """Replaces a block: returns the given residual, in the shape of output the real block has."""

    def __init__(self, stands_for: nn.Module, residual: torch.Tensor, in_tuple: bool) -> None:
        super().__init__()
        self.residual, self.in_tuple = residual, in_tuple
        self.__dict__["_stands_for"] = stands_for

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_stands_for"], name)

    def forward(self, *_args: object, **_kwargs: object) -> torch.Tensor | tuple:
        return (self.residual, None) if self.in_tuple else self.residual


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
        self.in_tuple = _blocks_return_tuples(module, anatomy)

    @property
    def vocabulary(self) -> int:
        """V, the number of logits of a position."""
        return int(self.head.weight.shape[0])

    def logits(self, residual: np.ndarray) -> torch.Tensor:
        """Logits [n, v] of residuals [n, d], in the model's own type and on its device.

        Each row runs as a prompt of one token, so that no context limit applies: nothing outside the blocks mixes
        positions. Memory is that of n rows of logits; callers choose n.
        """
        return _apart(self.module, self.anatomy, self._tensor(residual)[:, None], self.in_tuple)[:, 0]

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


def _apart(module: PreTrainedModel, anatomy: Anatomy, residual: torch.Tensor, in_tuple: bool) -> torch.Tensor:
    """`readout` as in recording, where gradients flow: a pass without them would make bitsandbytes repack 4-bit
    weights on some CPUs, after which they give no gradient, and small ones fail.
    """
    with torch.enable_grad():
        return readout(module, anatomy, residual.requires_grad_(), in_tuple=in_tuple).detach()


def _blocks_return_tuples(module: PreTrainedModel, anatomy: Anatomy) -> bool:
    """Try both shapes of block output on two zero residuals; the wrong one fails, or gives logits of another shape."""
    head = module.get_output_embeddings().weight
    zeros = torch.zeros(2, 1, anatomy.width, device=head.device, dtype=head.dtype)
    problems = []
    for in_tuple in (False, True):
        try:
            shape = _apart(module, anatomy, zeros, in_tuple).shape
        except (TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
            problems.append(str(error))
            continue
        if shape[:2] == (2, 1) and len(shape) == 3:
            return in_tuple
        problems.append(f"logits of shape {tuple(shape)}")
    raise ArchitectureError(
        f"its readout does not run apart from its blocks: {'; '.join(problems)}", where=anatomy.architecture
    )


def readout(model: PreTrainedModel, anatomy: Anatomy, residual: torch.Tensor, *, in_tuple: bool) -> torch.Tensor:
    """Logits [b, t, v] = head(final norm(residual)), for a residual [b, t, d] taken between blocks.

    Args:
        model: the model; left as it was.
        anatomy: where its blocks are.
        residual: [b, t, d].
        in_tuple: whether the model's blocks return a tuple.
    """
    ids = torch.zeros(residual.shape[:2], dtype=torch.long, device=input_embedding(model).weight.device)
    extra = {"use_cache": False} if accepts(model, "use_cache") else {}
    with _injecting(model, anatomy, residual, in_tuple):
        return model(ids, attention_mask=torch.ones_like(ids), **extra).logits


@contextmanager
def _injecting(model: PreTrainedModel, anatomy: Anatomy, residual: torch.Tensor, in_tuple: bool) -> Iterator[None]:
    """Each block gives the residual, whatever it is given: so the model runs as many as its config says."""
    blocks = anatomy.blocks(model)
    parent_path, _, name = anatomy.blocks_path.rpartition(".")
    parent = model.get_submodule(parent_path)
    setattr(parent, name, nn.ModuleList(_Injector(block, residual, in_tuple) for block in blocks))
    try:
        yield
    finally:
        setattr(parent, name, blocks)
