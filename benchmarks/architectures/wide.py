"""Float64 throughout: parts that a model computes in float32 whatever its number format are computed in float64 too.

Routers, rotations and some softmaxes ask for float32 by name. In a comparison of float64 that hides errors below 1e-8
behind the rounding of both sides, and a batch rounds in another way than a prompt alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode

_WIDER = {torch.Tensor.float: torch.Tensor.double}


class _Wide(TorchFunctionMode):
    """Takes every request for float32 as one for float64."""

    def __torch_function__(
        self, function: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        function = _WIDER.get(function, function)
        wide = {name: _wide(value) for name, value in (kwargs or {}).items()}
        return function(*map(_wide, args), **wide)


def _wide(value: object) -> object:
    return torch.float64 if value is torch.float32 else value


@contextmanager
def float64_throughout(dtype: str) -> Iterator[None]:
    """Inside it, what asks for float32 computes in float64; changes nothing for another number format."""
    if dtype != "float64":
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Wide():
            yield
    finally:
        torch.set_default_dtype(before)
