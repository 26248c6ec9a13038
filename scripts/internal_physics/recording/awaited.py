"""Gradients that a backward pass gives on its way: each as it arrives, or all of them together when it has ended.

A Python function at a node costs some 20 µs inside of the pass, several times what it costs alone: together more than a
hundredth of the pass of a small model. Taken together, gradients cost next to nothing; but all are held until
the end, so that this is for passes whose gradients are kept anyway, or are few.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from internal_physics.config.options.record import RecordOptions
from internal_physics.models.loading import LoadedModel

Take = Callable[..., object]
MOST_HELD = 2**24  # numbers in the factors of a pass whose gradients are held only to be taken together


def may_hold_all(model: LoadedModel, n_tokens: int, options: RecordOptions) -> bool:
    """Whether a pass may hold all gradients until its end: they are kept on this device anyway, or they are few.

    Gradients that are kept whole are left to autograd, which gives them as they arrive.
    """
    kept, coverage = options.weight_gradients, model.coverage
    if kept == "none":
        return True
    if coverage.dense:
        return False
    return (kept == "factors" and model.device.type == "cpu") or n_tokens * coverage.numbers_per_token <= MOST_HELD


class Awaited:
    """The gradients of one pass that are waited for.

    Args:
        together: whether they are taken by `backward`, when the pass has ended; else by any backward pass, as it runs.
    """

    def __init__(self, *, together: bool) -> None:
        self.together = together
        self._edges: list[GradientEdge] = []
        self._takers: list[tuple[Take, tuple[Any, ...]]] = []

    def add(self, tensor: torch.Tensor, take: Take, *what: object) -> None:
        """Have `take(gradient, *what)` called with the gradient of a tensor, if the pass reaches it."""
        node, place = tensor.grad_fn, tensor.output_nr
        if self.together:
            self._edges.append(get_gradient_edge(tensor) if node is None else GradientEdge(node, place))
            self._takers.append((take, what))
        elif node is None:  # a leaf
            tensor.register_hook(lambda gradient: _taken(gradient, take, what))
        else:  # the same gradient, by a cheaper hook
            node.register_prehook(lambda gradients: _taken(gradients[place], take, what))

    def add_node(self, node: Node, take: Take, *what: object) -> None:
        """The same of the only output of a node, where gradients are taken together."""
        self._edges.append(GradientEdge(node, 0))
        self._takers.append((take, what))

    def backward(self, target: torch.Tensor) -> None:
        """Run the backward pass of a number, and have those gradients taken that wait, the last tensor's first."""
        if not self._edges:
            target.backward()
            return
        gradients = torch.autograd.grad(target, self._edges, allow_unused=True)
        self._edges.clear()
        waiting, self._takers = self._takers[::-1], []
        for (take, what), gradient in zip(waiting, reversed(gradients), strict=True):
            _taken(gradient, take, what)


def _taken(gradient: torch.Tensor | None, take: Take, what: tuple[Any, ...]) -> None:
    if gradient is not None:
        take(gradient, *what)
