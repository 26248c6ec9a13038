"""A device that is not the CPU, on any machine: what code for a GPU does with tensors, without their numbers.

Torch's device "meta" has shapes and no numbers. `OneDevice` refuses what a GPU refuses, an operation on tensors of two
devices, and makes up numbers where code asks for them.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = "meta"
_ATEN = torch.ops.aten
_COPIES = (_ATEN._to_copy, _ATEN.copy_)
_INDEXED = (_ATEN.index, _ATEN.index_put_, _ATEN.index_put, _ATEN._index_put_impl_)  # indices may be on the CPU


class OneDevice(TorchDispatchMode):
    """Inside, every operation has tensors of one device; copies are free, and so is a CPU tensor of no dimension.

    Args:
        number: what a tensor of the device says when it is asked for its number or truth.
    """

    def __init__(self, number: float = 1.0) -> None:
        super().__init__()
        self.number = number

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func.overloadpacket
        if packet is _ATEN._local_scalar_dense and args[0].device.type == GPU:
            return self.number
        if packet is _ATEN._to_copy and args[0].device.type == GPU and str(kwargs.get("device")) == "cpu":
            return torch.full(args[0].shape, self.number, dtype=kwargs.get("dtype") or args[0].dtype)
        if packet not in _COPIES:
            devices = {tensor.device.type for tensor in _with_dimensions(packet, args, kwargs)}
            assert len(devices) <= 1, f"{func} has tensors on {sorted(devices)}"
        return func(*args, **kwargs)


def _with_dimensions(packet: Any, args: Any, kwargs: Any) -> Iterator[torch.Tensor]:
    given = (args[0], *args[2:], kwargs) if packet in _INDEXED else (args, kwargs)
    return (leaf for leaf in tree_leaves(given) if isinstance(leaf, torch.Tensor) and leaf.ndim > 0)
