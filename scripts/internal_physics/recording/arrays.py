"""From torch to numpy, and from a GPU to the host without waiting for it, in one place."""

import numpy as np
import torch

_AS_THEY_ARE = {torch.float32, torch.float64}


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """On the CPU; float64 and whole numbers as they are, anything else in float32.

    Shares memory where nothing has to change, but not memory that is locked for copies from a GPU.
    """
    own = tensor.detach()
    if not own.is_cpu:
        own = own.cpu()
    if own.dtype not in _AS_THEY_ARE and own.is_floating_point():
        own = own.float()
    found: np.ndarray = own.numpy()
    return found.copy() if own.is_pinned() else found


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host on a device; the host does not wait for the copy."""
    return tensor.to(device, non_blocking=True)


def is_on_host(tensor: torch.Tensor) -> bool:
    """Whether numpy can read a tensor's memory."""
    return tensor.is_cpu


class ToHost:
    """Copies tensors into the memory of the host while their GPU computes on; one already there stands for itself.

    What `start` returns may be cut up and passed on, and its numbers may be read once `wait` has returned.
    """

    def __init__(self) -> None:
        self._devices: set[torch.device] = set()

    def start(self, tensor: torch.Tensor) -> torch.Tensor:
        """Queue a copy behind what computes the tensor."""
        given = tensor.detach()
        if is_on_host(given):
            return given
        copy = torch.empty(given.shape, dtype=given.dtype, pin_memory=given.is_cuda)
        copy.copy_(given, non_blocking=given.is_cuda)
        if given.is_cuda:
            self._devices.add(given.device)
        return copy

    def wait(self) -> None:
        """Wait for all copies."""
        for device in self._devices:
            torch.cuda.synchronize(device)
        self._devices.clear()
