"""Inner products of rows, in a number format that is exact enough on a device and not slow.

Index conventions: b prompt, t and s token, i feature.
"""

import torch
from torch.nn import functional

from internal_physics.recording.arrays import is_on_host

_FAST_AT_FLOAT64 = {(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)}  # compute capabilities: half as fast as float32; else 1/64
_NUMBERS_AT_ONCE = {True: 2**18, False: 2**24}  # of a factor that are converted at a time: on the host to fit its cache
_PART = 256  # numbers whose products are summed in float32


def product_dtype(tensor: torch.Tensor) -> torch.dtype:
    """Number format of the products of a factor, in which a norm is as exact as `norms.MOST_ERROR` or nearly so."""
    if not tensor.is_cuda or torch.version.hip or tensor.dtype == torch.float64:
        return torch.float64
    is_fast = torch.cuda.get_device_capability(tensor.device) in _FAST_AT_FLOAT64
    return torch.float64 if is_fast or torch.get_float32_matmul_precision() != "highest" else torch.float32


def inner_products(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """All inner products of the rows of each prompt, [b, t, s], summed in float64; wide rows are converted in slices.

    Args:
        a: [b, t, i].
        b: [b, s, i].
        dtype: number format of the products of a slice.
    """
    if dtype != torch.float64:
        return _in_parts(a.to(dtype), b.to(dtype))
    at_once = _NUMBERS_AT_ONCE[is_on_host(a)]
    step = max(1, at_once // max(1, a.shape[0] * max(a.shape[1], b.shape[1])))
    if a.shape[2] <= step:
        wide = a.double()
        return wide @ (wide if b is a else b.double()).mT
    total = a.new_zeros((a.shape[0], a.shape[1], b.shape[1]), dtype=torch.float64)
    for start in range(0, a.shape[2], step):
        wide = a[:, :, start : start + step].double()
        other = wide if b is a else b[:, :, start : start + step].double()
        total = total.baddbmm_(wide, other.mT)
    return total


def _in_parts(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Inner products of rows, summed in their own number format over `_PART` numbers and beyond in float64."""
    n_parts = max(1, -(-a.shape[2] // _PART))
    parts = [
        functional.pad(factor, (0, n_parts * _PART - factor.shape[2])).unflatten(2, (n_parts, _PART)).transpose(1, 2)
        for factor in (a, b)
    ]
    return (parts[0] @ parts[1].mT).sum(dim=1, dtype=torch.float64)
