"""Rounding the matrices of a model to few bits: to the nearest of equal steps, one step size for each row.

A row of a linear map is what one output is made of, a row of an embedding is one token. Vectors stay as they are.
To 8 bits this is what bitsandbytes does, which quantises models for the physics, and its function does it here. Its
4 bits are another code: sixteen numbers that are not equally spaced, for blocks of 64 weights that cross the rows of
small matrices. And it leaves embeddings as they are, which here are half of the weights.
"""

import torch
from torch import nn
from transformers import PreTrainedModel

_BITSANDBYTES_BITS = 8


def round_matrices(model: PreTrainedModel, bits: int) -> None:
    """Round every matrix in place, to 2^bits − 1 equally spaced numbers from −max to max of its row."""
    seen: set[int] = set()
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Linear | nn.Embedding) and isinstance(weight, torch.Tensor) and id(weight) not in seen:
            seen.add(id(weight))  # a tied head is rounded once
            with torch.no_grad():
                weight.copy_(rounded(weight, bits))


def rounded(matrix: torch.Tensor, bits: int) -> torch.Tensor:
    """The rounded matrix [rows, columns]; a row of zeros stays."""
    if bits == _BITSANDBYTES_BITS:
        return _by_bitsandbytes(matrix)
    largest = 2 ** (bits - 1) - 1
    step = matrix.abs().amax(dim=1, keepdim=True) / largest
    safe = torch.where(step > 0, step, torch.ones_like(step))
    return (matrix / safe).round() * step


def _by_bitsandbytes(matrix: torch.Tensor) -> torch.Tensor:
    """To 8 bits; on the CPU, where the function takes float32."""
    from bitsandbytes import functional  # noqa: PLC0415  (more than a second, which only this measurement waits for)

    codes, largest, _ = functional.int8_vectorwise_quant(matrix.detach().cpu())
    restored: torch.Tensor = functional.int8_vectorwise_dequant(codes, largest)
    return restored.to(matrix)
