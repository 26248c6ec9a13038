"""All weights of a model as views of one vector, so that an optimiser takes a few operations however many there are."""

from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from internal_physics.config.options.lab_training import Decaying
from internal_physics.lab.train.low_rank import LowRank


@dataclass(frozen=True)
class Place:
    """Where a weight is in the vector.

    Attributes:
        name: of the parameter.
        first: its first number.
        shape: of the parameter.
        is_matrix: whether it is the weight of a linear map or an embedding, or a factor of its change.
        is_hidden: whether it is a linear map inside a block, which Muon changes.
    """

    name: str
    first: int
    shape: tuple[int, ...]
    is_matrix: bool
    is_hidden: bool

    def of(self, vector: torch.Tensor) -> torch.Tensor:
        """The part of a vector, in the weight's shape."""
        return vector[self.first : self.first + self.shape_size].view(self.shape)

    @property
    def shape_size(self) -> int:
        """How many numbers it has."""
        return int(torch.Size(self.shape).numel())


@dataclass(frozen=True)
class FlatWeights:
    """Weights and gradients of a model, each one vector; the model's own tensors are views of them.

    Attributes:
        weights, gradient: [n].
        decays: [n] 1 where a weight decays, else 0.
        places: of all parameters that are trained, in their order.
    """

    weights: torch.Tensor
    gradient: torch.Tensor
    decays: torch.Tensor
    places: tuple[Place, ...]


def flatten_weights(model: PreTrainedModel, *, decaying: Decaying = "matrices") -> FlatWeights:
    """Move a model's parameters and their gradients into two vectors; tied weights are there once, frozen ones not.

    Args:
        model: its parameters are views of a vector afterwards.
        decaying: which weights decay: all matrices, or linear maps inside blocks.
    """
    linear = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear | nn.Embedding)}
    factors = {id(p) for m in model.modules() if isinstance(m, LowRank) for p in m.parameters()}
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    places, n = [], 0
    for name, p in trained.items():
        is_linear = id(p) in linear
        is_matrix = is_linear or id(p) in factors
        places.append(Place(name, n, tuple(p.shape), is_matrix, is_linear and ".layers." in name))
        n += p.numel()
    vectors = [torch.zeros(n, device=model.device, dtype=model.dtype) for _ in range(3)]
    flat = FlatWeights(vectors[0], vectors[1], vectors[2], tuple(places))
    with torch.no_grad():
        for place, p in zip(places, trained.values(), strict=True):
            place.of(flat.weights).copy_(p)
            place.of(flat.decays).fill_(float(place.is_matrix if decaying == "matrices" else place.is_hidden))
            p.data, p.grad = place.of(flat.weights), place.of(flat.gradient)
    return flat
