"""Plain linear maps (`nn.Linear`): for a pass, their modules get a forward of its own that catches.

That costs a few function calls a map; having torch pass on every function that is given the weight costs several times
as many. The weight is watched all the same, so that a use of it elsewhere is seen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.autograd.graph import Node
from torch.nn import functional

from internal_physics.models.anatomy import Anatomy, LinearMap
from internal_physics.recording.operands import Operands, Part
from internal_physics.recording.sites import Sites

Forward = Callable[[torch.Tensor], torch.Tensor]
Note = tuple["PlainMap", torch.Tensor, int, Node | None]  # a use: input, its count of changes, node of the output


@dataclass(frozen=True)
class PlainMap:
    """A module that is just a linear map.

    Attributes:
        module: itself.
        part: its whole weight.
        map: as it is recorded.
        weight: its numbers as a plain tensor, whose use is not passed on to a watch.
    """

    module: nn.Linear
    part: Part
    map: LinearMap
    weight: torch.Tensor

    def run(self, given: torch.Tensor) -> torch.Tensor:
        """What the module gives."""
        return functional.linear(given, self.weight, self.module.bias)


def plain_maps(modules: Mapping[str, nn.Module], anatomy: Anatomy, operands: Operands, maps: Sites) -> list[PlainMap]:
    """The modules inside blocks that are just linear maps, each with its whole weight; none with a forward of its own.

    Args:
        modules: of the model, by path.
        anatomy: where its parts are.
        operands: the weights that are recognised; a map of another weight is left out.
        maps: the uses of matrices.
    """
    found = []
    for linear_map in anatomy.maps:
        module = modules[linear_map.site]
        if type(module) is not nn.Linear or "forward" in vars(module) or not anatomy.is_in_blocks(linear_map.site):
            continue
        part = operands.part(module.weight) if type(module.weight) is nn.Parameter else None
        if part is not None and part.parameter == linear_map.parameter:
            own = maps.of(part, lookup=False, transposed=False)
            found.append(PlainMap(module, part, own, module.weight.detach()))
    return found


def noting(plain: PlainMap, notes: list[Note]) -> Forward:
    """A map's forward that only notes each use: what more is to be done with it takes less time after the pass."""
    note, weight, bias = notes.append, plain.weight, plain.module.bias

    def forward(input: torch.Tensor) -> torch.Tensor:  # nn.Linear's own name
        output = functional.linear(input, weight, bias)
        note((plain, input, input._version, output.grad_fn))
        return output

    return forward


@contextmanager
def caught(maps: Sequence[PlainMap], forward_of: Callable[[PlainMap], Forward]) -> Iterator[None]:
    """Around a pass: each map has the forward that it is given; afterwards they are as before."""
    for plain in maps:
        vars(plain.module)["forward"] = forward_of(plain)
    try:
        yield
    finally:
        for plain in maps:
            vars(plain.module).pop("forward", None)
