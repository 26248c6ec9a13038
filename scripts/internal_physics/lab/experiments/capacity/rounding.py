"""Rounding the matrices of a model to few bits: to the nearest of equal steps, one step size for each row.

A row of a linear map is what one output is made of, a row of an embedding is one token. Vectors stay as they are.
bitsandbytes, which quantises models for the physics, leaves embeddings alone, and here they are half of the weights.
"""

import torch
from torch import nn
from transformers import PreTrainedModel


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
    largest = 2 ** (bits - 1) - 1
    step = matrix.abs().amax(dim=1, keepdim=True) / largest
    safe = torch.where(step > 0, step, torch.ones_like(step))
    return (matrix / safe).round() * step
