"""Plain linear maps (`nn.Linear`): for a pass, their modules get a forward of its own that catches.

That costs a few function calls a map; having torch pass on every function that is given the weight costs several times
as many. The weight is watched all the same, so that a use of it elsewhere is seen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from internal_physics.models.anatomy import Anatomy
from internal_physics.recording.operands import Operands, Part

Product = Callable[[Part, torch.Tensor, Callable[[torch.Tensor], torch.Tensor]], torch.Tensor]


def plain_maps(modules: Mapping[str, nn.Module], anatomy: Anatomy, operands: Operands) -> list[tuple[nn.Linear, Part]]:
    """The modules inside blocks that are just linear maps, each with its whole weight; none with a forward of its own.

    Args:
        modules: of the model, by path.
        anatomy: where its parts are.
        operands: the weights that are recognised; a map of another weight is left out.
    """
    found = []
    for linear_map in anatomy.maps:
        module = modules[linear_map.site]
        if type(module) is not nn.Linear or "forward" in vars(module) or not anatomy.is_in_blocks(linear_map.site):
            continue
        part = operands.part(module.weight) if type(module.weight) is nn.Parameter else None
        if part is not None and part.parameter == linear_map.parameter:
            found.append((module, part))
    return found


@contextmanager
def caught(maps: Sequence[tuple[nn.Linear, Part]], product: Product) -> Iterator[None]:
    """Around a pass: the maps run by `product(part, given, run)`; afterwards they are as before."""
    for module, part in maps:
        vars(module)["forward"] = _forward(module, part, product)
    try:
        yield
    finally:
        for module, _ in maps:
            vars(module).pop("forward", None)


def _forward(module: nn.Linear, part: Part, product: Product) -> Callable[[torch.Tensor], torch.Tensor]:
    weight, bias = module.weight.detach(), module.bias  # a plain tensor: its use here is not to be passed on

    def run(given: torch.Tensor) -> torch.Tensor:
        return functional.linear(given, weight, bias)

    def forward(input: torch.Tensor) -> torch.Tensor:  # nn.Linear's own name
        return product(part, input, run)

    return forward
