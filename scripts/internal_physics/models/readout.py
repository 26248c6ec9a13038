"""The readout of any architecture: final norm and head, as the model itself applies them to a residual.

No architecture is named: the list of blocks is swapped for one block that returns a given residual, and the
model is run. Soft-capping, logit scaling and masked-LM transforms come along by themselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy, accepts


class _Injector(nn.Module):
    """Stands in for a block: returns the given residual, in the shape of output the real block has."""

    def __init__(self, stands_for: nn.Module, residual: torch.Tensor, in_tuple: bool) -> None:
        super().__init__()
        self.residual, self.in_tuple = residual, in_tuple
        self.__dict__["_stands_for"] = stands_for

    def __getattr__(self, name: str) -> object:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_stands_for"], name)

    def forward(self, *_args: object, **_kwargs: object) -> torch.Tensor | tuple:
        return (self.residual, None) if self.in_tuple else self.residual


def readout(model: nn.Module, anatomy: Anatomy, residual: torch.Tensor, *, in_tuple: bool) -> torch.Tensor:
    """Logits [b, t, v] = head(final norm(residual)), for a residual [b, t, d] taken between blocks.

    Args:
        model: the model; left as it was.
        anatomy: where its blocks are.
        residual: [b, t, d].
        in_tuple: whether the model's blocks return a tuple.
    """
    ids = torch.zeros(residual.shape[:2], dtype=torch.long, device=model.get_input_embeddings().weight.device)
    extra = {"use_cache": False} if accepts(model, "use_cache") else {}
    with _single_block(model, anatomy, residual, in_tuple):
        return model(ids, attention_mask=torch.ones_like(ids), **extra).logits


@contextmanager
def _single_block(model: nn.Module, anatomy: Anatomy, residual: torch.Tensor, in_tuple: bool) -> Iterator[None]:
    blocks = anatomy.blocks(model)
    parent_path, _, name = anatomy.blocks_path.rpartition(".")
    parent, config = model.get_submodule(parent_path), model.config.get_text_config()
    setattr(parent, name, nn.ModuleList([_Injector(blocks[-1], residual, in_tuple)]))
    had = config.num_hidden_layers
    try:
        config.num_hidden_layers = 1
        yield
    finally:
        config.num_hidden_layers = had
        setattr(parent, name, blocks)
