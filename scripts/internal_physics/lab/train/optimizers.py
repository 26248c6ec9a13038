"""AdamW, and Muon for the matrices inside blocks, on weights that are one vector.

AdamW: Loshchilov and Hutter 2019. Muon: Jordan and others 2024; the step of a matrix is its momentum made orthogonal by
Newton-Schulz iterations.
"""

import re
from collections import defaultdict
from typing import Protocol

import torch

from internal_physics.config.options.lab_training import TrainingOptions
from internal_physics.lab.train.flat import FlatWeights, Place

MOMENTUM = 0.95
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of the quintic that brings singular values near 1
N_ITERATIONS = 5
_OF_ATTENTION = re.compile(r"\.self_attn\.[qkv]_proj\.")


class Optimizer(Protocol):
    """A rule of change; `state` is all that it remembers."""

    state: dict[str, torch.Tensor]

    def update(self, step: int, share: float) -> None:
        """Change the weights by their gradient.

        Args:
            step: 0, 1, …
            share: of the largest learning rate.
        """


def optimizer_for(flat: FlatWeights, options: TrainingOptions) -> Optimizer:
    """The optimiser that the options ask for."""
    return Muon(flat, options) if options.optimizer == "muon" else AdamW(flat, options)


class AdamW:
    """Steps of the gradient's mean over the root of its mean square; matrices decay apart from that."""

    def __init__(self, flat: FlatWeights, options: TrainingOptions) -> None:
        self.flat, self.options = flat, options
        self.state = {"mean": torch.zeros_like(flat.weights), "square": torch.zeros_like(flat.weights)}

    @torch.no_grad()
    def update(self, step: int, share: float) -> None:
        """See `Optimizer`."""
        options, gradient = self.options, self.flat.gradient
        mean = self.state["mean"].lerp_(gradient, 1 - options.beta1)
        square = self.state["square"].mul_(options.beta2).addcmul_(gradient, gradient, value=1 - options.beta2)
        rate = share * options.learning_rate
        root = (square / (1 - options.beta2 ** (step + 1))).sqrt_().add_(options.epsilon)
        if options.weight_decay:
            self.flat.weights.addcmul_(self.flat.weights, self.flat.decays, value=-rate * options.weight_decay)
        self.flat.weights.addcdiv_(mean, root, value=-rate / (1 - options.beta1 ** (step + 1)))


class Muon:
    """Orthogonal steps for the matrices inside blocks, AdamW for all other weights."""

    def __init__(self, flat: FlatWeights, options: TrainingOptions) -> None:
        self.flat, self.options = flat, options
        self.adamw = AdamW(flat, options)
        self.state = self.adamw.state | {"momentum": torch.zeros_like(flat.weights)}
        self.by_shape: dict[tuple[int, int], list[list[Place]]] = defaultdict(list)
        for matrix in _matrices([place for place in flat.places if place.is_hidden], joins=options.muon_joins):
            self.by_shape[sum(part.shape[0] for part in matrix), matrix[0].shape[1]].append(matrix)

    @torch.no_grad()
    def update(self, step: int, share: float) -> None:
        """See `Optimizer`. All matrices of a shape are made orthogonal together."""
        gradient, momentum = self.flat.gradient, self.state["momentum"]
        momentum.mul_(MOMENTUM).add_(gradient)
        ahead = gradient.add(momentum, alpha=MOMENTUM)
        parts = [part for matrices in self.by_shape.values() for matrix in matrices for part in matrix]
        kept = {part: part.of(self.flat.weights).clone() for part in parts}
        self.adamw.update(step, share)
        rate = share * self.options.muon_learning_rate
        for (n_out, n_in), matrices in self.by_shape.items():
            steps = orthogonal(torch.stack([torch.cat([part.of(ahead) for part in matrix]) for matrix in matrices]))
            for matrix, whole in zip(matrices, steps, strict=True):
                for part, direction in zip(matrix, whole.split([part.shape[0] for part in matrix]), strict=True):
                    weight = kept[part].mul_(1 - rate * self.options.weight_decay)
                    weight.add_(direction, alpha=-rate * max(1.0, n_out / n_in) ** 0.5)
                    part.of(self.flat.weights).copy_(weight)


def _matrices(places: list[Place], *, joins: bool) -> list[list[Place]]:
    """The matrices that Muon makes orthogonal, each as its parts from top to bottom."""
    if not joins:
        return [[place] for place in places]
    by_name: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        by_name[_OF_ATTENTION.sub(".self_attn.qkv.", place.name)].append(place)
    return list(by_name.values())


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """[m, r, c] matrices with the same singular vectors and singular values near 1 (0.7 to 1.2); zeros stay zero."""
    a, b, c = _NEWTON_SCHULZ
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(N_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x
