"""Stacks of experts' matrices, and the rows that a router sends to each.

Index conventions: b prompt, n real token (prompt by prompt, see `packing`), k choice, e expert, s row of an expert: one
for each choice of each real token, sorted by expert, then prompt, then choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import LinearMap
from internal_physics.recording.packing import Packing
from internal_physics.records.info import ParameterInfo, Use
from internal_physics.records.trace import Key


@dataclass(frozen=True)
class Stack:
    """The matrices of all experts of a block for one product.

    Attributes:
        parameter: name of the weight [e, …].
        maps: of each expert's matrix; none if its gradient is not recorded.
        matrices: views of the weight, each as [in, out].
        bias: name of the weight [e, out] that is added; empty if none is, or if its gradient is not recorded.
        biases: its rows.
        whole: all matrices, [e, in, out], if one step of torch can multiply with them; else None.
    """

    parameter: str
    maps: tuple[LinearMap, ...]
    matrices: tuple[torch.Tensor, ...]
    bias: str = ""
    biases: tuple[torch.Tensor, ...] = ()
    whole: torch.Tensor | None = None

    @cached_property
    def used(self) -> tuple[ParameterInfo, ...]:
        """What a record says of each matrix that a prompt has used."""
        return tuple(_info(m, (Use(m.site, m.layer, False, m.site, m.layer),)) for m in self.maps)

    @cached_property
    def keys(self) -> tuple[tuple[Key, Key], ...]:
        """Under which names a record has the input and the output gradient of each matrix."""
        return tuple((Key(m.site, m.layer, "input"), Key(m.site, m.layer, "output_gradient")) for m in self.maps)

    @cached_property
    def idle(self) -> tuple[ParameterInfo, ...]:
        """What it says of each that the prompt has not used."""
        return tuple(_info(m, ()) for m in self.maps)


def _info(m: LinearMap, uses: tuple[Use, ...]) -> ParameterInfo:
    return ParameterInfo(m.parameter, m.shape, m.layer, m.transposed, uses)


class RoutedRows:
    """Which rows belong to which expert and prompt.

    Args:
        chosen: [n, k], the experts of each real token.
        packing: which tokens belong to which prompt.
        n_experts: e.

    Attributes:
        order: [s], place of each row in the choices, first those of choice 0.
        counts: on the host, rows of each expert and prompt [e, b].
    """

    def __init__(self, chosen: torch.Tensor, packing: Packing, n_experts: int) -> None:
        self.n_choices, n_prompts = chosen.shape[1], packing.shape[0]
        place = chosen.T.reshape(-1)
        if n_prompts > 1:
            place = place * n_prompts + packing.prompts(chosen.device).repeat(self.n_choices)
        self.order = place.argsort(stable=True)
        counts = torch.bincount(place, minlength=n_experts * n_prompts)
        if len(counts) > n_experts * n_prompts:
            raise ArchitectureError(
                f"a router chose an expert beyond the {n_experts} that there are", where="the experts of a block"
            )
        numbers = counts.tolist()  # the one wait for the device
        self.counts = np.array(numbers).reshape(n_experts, n_prompts)
        own = numbers if n_prompts == 1 else self.counts.sum(axis=1).tolist()
        self.experts = [e for e, n in enumerate(own) if n]
        self.sizes = [n for n in own if n]  # rows of each expert that has any
        self._n_rows = own
        self.blocks: Any = None  # kept by `stack_norms`

    def spread(self, hidden: torch.Tensor) -> torch.Tensor:
        """[n, d] → [s, d]. Its backward pass sums the rows of a token in the same order every time, on a GPU too."""
        return hidden[self.order % len(hidden)]

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        """[s, d] → [n, d], the sum over the choices of each token."""
        return rows.index_select(0, self.order.argsort()).unflatten(0, (self.n_choices, -1)).sum(dim=0)

    @cached_property
    def ends(self) -> torch.Tensor:
        """[e], on the host: the last row + 1 of each expert."""
        return torch.tensor([*accumulate(self._n_rows)], dtype=torch.int32)

    def by_expert(self, rows: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """(e, its rows) of each expert that has any."""
        return zip(self.experts, rows.split(self.sizes), strict=True)

    def sums(self, rows: torch.Tensor) -> torch.Tensor:
        """[s, o] → [b, e, o], the sum over the rows of each expert and prompt."""
        lengths = torch.from_numpy(self.counts.flatten()).to(rows.device)
        summed = torch.segment_reduce(rows, "sum", lengths=lengths, axis=0)
        return summed.view(*self.counts.shape, -1).transpose(0, 1)

    def of_prompt(self, b: int) -> list[tuple[int, int, int]]:
        """(e, first row, last + 1) of each expert that prompt b uses."""
        return self._of_prompts[b]

    @cached_property
    def _of_prompts(self) -> list[list[tuple[int, int, int]]]:
        found: list[list[tuple[int, int, int]]] = [[] for _ in range(self.counts.shape[1])]
        first = 0
        for e, counts in enumerate(self.counts.tolist()):
            for b, n in enumerate(counts):
                if n:
                    found[b].append((e, first, first + n))
                    first += n
        return found


@dataclass
class StackCall:
    """One use of a stack: the products of all experts that any token was sent to.

    Attributes:
        stack: which.
        rows: of which expert and prompt each row is.
        input: [s, in].
        output_gradient: [s, out], once the backward pass has reached it.
        version: torch's count of in-place changes of `input` when it was caught.
    """

    stack: Stack
    rows: RoutedRows
    input: torch.Tensor
    output_gradient: torch.Tensor | None = None
    version: int = field(init=False)

    def __post_init__(self) -> None:
        self.version = self.input._version

    @property
    def caught_gradient(self) -> torch.Tensor:
        """`output_gradient` of a use that the loss depends on."""
        if self.output_gradient is None:
            raise RuntimeError("a gradient of experts was requested but never caught")
        return self.output_gradient

    def release(self) -> None:
        """Forget input and gradient, keeping the fact of the call."""
        self.version = 0
        self.input = self.output_gradient = torch.empty(0)

    def infos(self, b: int) -> tuple[ParameterInfo, ...]:
        """What the record of prompt b says of each matrix."""
        infos = list(self.stack.idle)
        for e, _, _ in self.rows.of_prompt(b):
            infos[e] = self.stack.used[e]
        return tuple(infos)
