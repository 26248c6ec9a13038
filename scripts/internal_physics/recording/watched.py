"""Two ways to have a watch see the functions that a model runs: all of them, or those that are given a weight.

All of them is what the self-check begins with. Most have no weight among their arguments, and passing each of some
2,500 through Python costs a tenth of the pass of a small model. So recording gives the weights a class of their own,
and torch then passes on only what is done with them; the self-check proves that nothing is missed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from internal_physics.recording.watch import Watch


class EveryFunction(TorchFunctionMode):
    """Context manager in which every function of torch is passed to a watch."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(
        self, function: Callable, types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        return self.watch.run(function, args, kwargs or {})


class OnWeights:
    """Context manager in which the functions that are given a weight, or a view or copy of one, are passed to a watch.

    Args:
        watch: what sees them.
        weights: have another class within the context; their numbers and places stay.
    """

    def __init__(self, watch: Watch, weights: Sequence[nn.Parameter]) -> None:
        self.watch, self.weights = watch, weights
        own: dict[str, Any] = {"__torch_function__": classmethod(self._passed_on)}
        self._of_weights: Any = type("WatchedParameter", (nn.Parameter,), own)
        self._of_views: Any = type("WatchedTensor", (torch.Tensor,), own)  # not to be registered in a module

    def __enter__(self) -> "OnWeights":
        for weight in self.weights:
            weight.__class__ = self._of_weights
        return self

    def __exit__(self, *exception: object) -> None:
        for weight in self.weights:
            weight.__class__ = nn.Parameter

    def _passed_on(
        self, _class: type, function: Callable, _types: tuple, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        with torch._C.DisableTorchFunctionSubclass():
            if function is torch.Tensor.__iter__:
                return iter(self._marked(args[0].unbind()))
            if isinstance(function, torch._ops.OpOverload):  # called by a dispatch mode, inside of what was seen
                return function(*args, **(kwargs or {}))
            return self._marked(self.watch.run(function, args, kwargs or {}))

    def _marked(self, results: Any) -> Any:
        """The results of a function; those that are parts or copies of a weight are watched from now on."""
        if isinstance(results, torch.Tensor):
            is_known = type(results) is not torch.Tensor or self.watch.operands.weight_of(results) is None
            return results if is_known else results.as_subclass(self._of_views)
        if type(results) in (list, tuple):
            return type(results)(self._marked(result) for result in results)
        return results


def can_be_watched(weights: Sequence[nn.Parameter]) -> bool:
    """Whether the class of every weight can be changed for a while: it has no class of its own."""
    return all(type(weight) is nn.Parameter for weight in weights)
