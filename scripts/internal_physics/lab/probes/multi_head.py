"""A probe that reads residuals of many tokens, weighted by their places and nothing else.

Class scores at place i = Σ_r Σ_k w[r, i, k] f_r(E_k), with w[r, i, ·] the softmax over k of ⟨P[r, i], P[r, k]⟩ / √p.
The vectors P [head, place, p] and the linear maps f_r are trained; the model is frozen. Weights that saw the content
could compute the answer themselves; these cannot.
"""

from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

Reads = Literal["all", "earlier", "neighbours"]
_PLACE_WIDTH = 64


class MultiHeadProbe(nn.Module):
    """The probe.

    Args:
        width: of the residuals.
        places: most tokens of a string.
        classes: that it tells apart.
        heads: sets of weights.
        reads: which tokens k count at place i: all, earlier ones and i itself, or i and the two beside it.
        seed: of the first values.
    """

    def __init__(self, width: int, places: int, classes: int, *, heads: int, reads: Reads, seed: int) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(seed)
        self.places = nn.Parameter(torch.randn(heads, places, _PLACE_WIDTH, generator=draws))
        self.maps = nn.Parameter(torch.randn(heads, width, classes, generator=draws) * (heads * width) ** -0.5)
        self.biases = nn.Parameter(torch.zeros(classes))
        self.register_buffer("may_read", _may_read(places, reads))

    def weights(self) -> torch.Tensor:
        """[head, i, k] how much token k counts at place i; rows sum to 1."""
        products = self.places @ self.places.transpose(1, 2) * _PLACE_WIDTH**-0.5
        return products.masked_fill(~self.get_buffer("may_read"), float("-inf")).softmax(-1)

    def forward(self, residuals: torch.Tensor) -> torch.Tensor:
        """[string, place, width] residuals, zero after the end of a string → [string, place, classes] scores."""
        mapped = torch.einsum("bkd,rdc->brkc", residuals, self.maps)
        return (self.weights() @ mapped).sum(dim=1) + self.biases


def fit_multi_head_probe(
    residuals: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    heads: int = 16,
    reads: Reads = "all",
    steps: int = 300,
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> MultiHeadProbe:
    """Train a probe on all strings at once with Adam, its rate falling to 0.

    Args:
        residuals: [string, place, width], of about unit variance, zero after the end of a string.
        labels: [string, place] integers; -1 where nothing is to be told.
        n_classes: how many classes there are.
        heads: see `MultiHeadProbe`.
        reads: see `MultiHeadProbe`.
        steps: of training.
        learning_rate: the first.
        seed: of the first values.
    """
    probe = MultiHeadProbe(residuals.shape[2], residuals.shape[1], n_classes, heads=heads, reads=reads, seed=seed)
    inputs = torch.as_tensor(residuals, dtype=torch.float32)
    targets = torch.as_tensor(labels, dtype=torch.long)
    optimizer = torch.optim.Adam(probe.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(probe(inputs).flatten(0, 1), targets.flatten(), ignore_index=-1).backward()
        optimizer.step()
        schedule.step()
    return probe.eval().requires_grad_(False)


def _may_read(places: int, reads: Reads) -> torch.Tensor:
    """[i, k] bool."""
    distance = torch.arange(places)[:, None] - torch.arange(places)
    if reads == "earlier":
        return distance >= 0
    return distance.abs() <= 1 if reads == "neighbours" else torch.ones(places, places, dtype=torch.bool)
