"""Embeddings that do more than look up rows: which ids they use, and by which factor they scale the rows."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from internal_physics.ground.errors import ArchitectureError


class LookupSpy(TorchFunctionMode):
    """Catches the ids that an embedding looks up in its weight.

    Some embeddings compute them from other arguments (OPT adds an offset to positions). Wraps the module's call.
    """

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = weight
        self.ids: torch.Tensor | None = None
        self._watching = False

    def start(self) -> None:
        """Start watching."""
        self._watching = True
        self.__enter__()

    def stop(self) -> None:
        """Stop watching; does nothing if it was not started."""
        if self._watching:
            self._watching = False
            self.__exit__(None, None, None)

    def __torch_function__(
        self, function: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        if function is functional.embedding and args[1] is self.weight:
            self.ids = args[0]
        return function(*args, **kwargs)


def scale_of_lookup(module: nn.Embedding, ids: torch.Tensor, output: torch.Tensor, architecture: str) -> float:
    """The constant factor between looked-up rows and the module's output; NaN where the output is not finite.

    Raises:
        ArchitectureError: if there is no such constant: the module changes its rows in another way.
    """
    if not torch.isfinite(output).all():  # overflow or a damaged weight: reported elsewhere
        return math.nan
    rows = functional.embedding(ids, module.weight).to(output.dtype)
    scale = float((output.detach() * rows).sum().double() / rows.square().sum().double())
    if not torch.allclose(output.detach(), rows * scale, rtol=1e-2 if output.dtype.itemsize < 4 else 1e-4, atol=1e-6):
        raise ArchitectureError(f"{type(module).__name__} is not a scaled look-up", where=architecture)
    return scale
