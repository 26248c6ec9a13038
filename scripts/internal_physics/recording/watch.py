"""Watch: sees every product that a model makes with one of its weights, in whatever module and by whatever function.

A weight is recognised by its storage, so a slice of a stack of experts, a transpose or a converted copy is found like
the weight itself. What is not a product with a weight passes through unchanged. What calls a watch is in `watched`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch.nn import functional

from internal_physics.recording.operands import Operands, Part

_CONVERSIONS = tuple(
    getattr(torch.Tensor, name)
    for name in ("to", "float", "double", "half", "bfloat16", "type", "contiguous", "clone", "cuda", "cpu")
)
# Their result depends on the shape or number format of a weight, not on its numbers.
_WITHOUT_ITS_NUMBERS = frozenset(
    {"type_as", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros"}
    | {"new_ones", "new_empty", "new_full", "new_tensor", "expand_as", "view_as", "reshape_as"}
)
Run = Callable[[torch.Tensor], torch.Tensor]


class Catches(Protocol):
    """What is done with the products that are seen."""

    def product(self, part: Part, given: torch.Tensor, run: Run, *, stored_out_first: bool) -> torch.Tensor:
        """Run one product of a matrix, and keep what flows through it.

        Args:
            part: which matrix.
            given: [..., in].
            run: gives the output [..., out] of an input, of as many dimensions and the same or fewer rows.
            stored_out_first: whether the part is stored [out, in].
        """
        ...

    def products(self, parts: list[Part], given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Keep what flows through the products of a stack of matrices [e, in, out], already run."""
        ...

    def lookup(self, part: Part, ids: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Keep what flows through the rows [..., in] that were looked up in a table."""
        ...


class Watch:
    """Passes every product with a weight to `catches`.

    Args:
        operands: the weights.
        catches: gets the products.
        thorough: whether other uses of weights are noted in `others`; costs time where all functions are watched.

    Attributes:
        others: weight → the functions that use its numbers in another way than a product that is caught.
    """

    def __init__(self, operands: Operands, catches: Catches, *, thorough: bool = False) -> None:
        self.operands, self.catches, self.thorough = operands, catches, thorough
        self.others: dict[str, set[str]] = defaultdict(set)
        matmul, addmm = self._matmul, self._addmm
        self._handlers: dict[Callable, Callable[[Callable, tuple, dict], object | None]] = {
            functional.linear: self._linear,
            functional.embedding: self._embedding,
            **dict.fromkeys((torch.matmul, torch.mm, torch.bmm, torch.Tensor.matmul), matmul),
            **dict.fromkeys((torch.Tensor.__matmul__, torch.Tensor.mm, torch.Tensor.bmm), matmul),
            **dict.fromkeys((torch.addmm, torch.Tensor.addmm, torch.baddbmm, torch.Tensor.baddbmm), addmm),
            **dict.fromkeys(_CONVERSIONS, self._convert),
        }

    def run(self, function: Callable, args: tuple, kwargs: dict) -> object:
        """Run a function of torch, and pass on what it does with weights. Nothing is watched meanwhile."""
        handle = self._handlers.get(function)
        if handle is not None:
            output = handle(function, args, kwargs)
            if output is not None:
                return output
        output = function(*args, **kwargs)
        if self.thorough:
            self._note_others(function, args, kwargs, output)
        return output

    def _linear(self, function: Callable, args: tuple, kwargs: dict) -> object | None:
        given = args[0] if args else kwargs["input"]
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        part = self.operands.part(weight)
        if part is None:
            return None
        bias = args[2] if len(args) > 2 else kwargs.get("bias")
        return self.catches.product(part, given, lambda x: function(x, weight, bias), stored_out_first=not part.flipped)

    def _matmul(self, function: Callable, args: tuple, kwargs: dict) -> object | None:
        if len(args) != 2 or kwargs or not isinstance(args[1], torch.Tensor):
            return None
        given, weight = args
        part = self.operands.part(weight)
        if part is not None:
            return self.catches.product(part, given, lambda x: function(x, weight), stored_out_first=part.flipped)
        return self._stack(lambda: function(given, weight), given, weight)

    def _addmm(self, function: Callable, args: tuple, kwargs: dict) -> object | None:
        if len(args) != 3 or kwargs:
            return None
        added, given, weight = args
        part = self.operands.part(weight)
        if part is not None and added.ndim == 1:  # a bias: the same for every row
            return self.catches.product(
                part, given, lambda x: function(added, x, weight), stored_out_first=part.flipped
            )
        return self._stack(lambda: function(added, given, weight), given, weight)

    def _stack(self, run: Callable[[], torch.Tensor], given: torch.Tensor, weight: torch.Tensor) -> object | None:
        """A product of matrices one by one, [e, n, in] and [e, in, out]."""
        if weight.ndim != 3 or given.ndim != 3 or len(given) != len(weight) or self.operands.weight_of(weight) is None:
            return None
        parts = [self.operands.part(matrix) for matrix in weight.unbind()]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts) or len({part.flipped for part in known}) > 1:
            return None
        return self.catches.products(known, given, run())

    def _embedding(self, function: Callable, args: tuple, kwargs: dict) -> object | None:
        ids, weight = (*args, kwargs.get("weight"))[:2]
        part = self.operands.part(weight) if isinstance(weight, torch.Tensor) else None
        if part is None or part.flipped or part.first != (0, 0) or tuple(weight.shape) != part.shape:
            return None
        return self.catches.lookup(part, ids, function(*args, **kwargs))

    def _convert(self, function: Callable, args: tuple, kwargs: dict) -> object | None:
        """A copy of a weight stands for it: a router in float32 of a model in bfloat16."""
        if self.operands.weight_of(args[0]) is None:
            return None
        copy = function(*args, **kwargs)
        if not self.operands.add_copy(args[0], copy):
            self.others[str(self.operands.weight_of(args[0]))].add(function.__name__)
        return copy

    def _note_others(self, function: Callable, args: tuple, kwargs: dict, output: object) -> None:
        """A view of a weight is no use of it; anything else that gives a tensor is."""
        name = getattr(function, "__name__", str(function))
        if name in _WITHOUT_ITS_NUMBERS or (name == "to" and self.operands.weight_of(args[0]) is None):
            return
        results = [t for t in tensors_in((output,)) if t.is_floating_point()]
        if not results:
            return
        for tensor in tensors_in((*args, *kwargs.values())):
            weight = self.operands.weight_of(tensor)
            if weight is not None and any(self.operands.weight_of(result) != weight for result in results):
                self.others[weight].add(name)


def tensors_in(values: object) -> Iterator[torch.Tensor]:
    """The tensors in an argument, also of a list or tuple of them."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from tensors_in(value)
