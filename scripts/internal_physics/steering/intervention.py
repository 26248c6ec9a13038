"""Steering: an intervention on the residual stream during the recorded pass, so that later layers see its effect.

At each chosen layer `scale · layer_weight[l] · token_weight[t] · v` is added to residual[l], the input of block l (at
l = L: the output of the last block). The recorded residual[l] already contains it, and residual_gradient[l] is the
gradient with respect to that steered residual.

Index conventions: b prompt of the batch, t token, l residual position 0..L, d width.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from internal_physics.ground.errors import ConfigError

_LAYERS_SHOWN = 3


@dataclass(frozen=True)
class Edit:
    """One change of the residual stream at one layer.

    Attributes:
        vector: [d]; the vector to add (add), or the direction whose component is set (clamp).
        action: add, or clamp: the component along the direction becomes `value`, the rest is unchanged.
        value: of the clamped component.
        weight: of a clamp at this layer; the vector of an addition already includes it.
        bias: [d], the origin from which a clamped component is measured; None for zero.
    """

    vector: np.ndarray
    action: str = "add"
    value: float = 0.0
    weight: float = 1.0
    bias: np.ndarray | None = None


@dataclass(frozen=True)
class Steering:
    """What is changed at which layers.

    Attributes:
        edits: layer → changes, in order.
        token_weights: [n] from the first to the last token, stretched linearly over each prompt's own tokens.
        description: plain data that describes the steering, for the metadata of records.
    """

    edits: Mapping[int, tuple[Edit, ...]]
    token_weights: tuple[float, ...] = (1.0,)
    description: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        lengths = {layer: max(float(np.linalg.norm(e.vector)) for e in edits) for layer, edits in self.edits.items()}
        shown = ", ".join(f"{layer}: {length:.3g}" for layer, length in list(lengths.items())[:_LAYERS_SHOWN])
        rest = len(lengths) - _LAYERS_SHOWN
        kind = next((key for key in ("vector", "file", "contrast") if key in self.description), "direction")
        more = f" and {rest} more" if rest > 0 else ""
        return f"Steering({kind} at {len(lengths)} layers, length by layer {shown}{more})"


class Intervention:
    """Applies a Steering to one right-padded batch; padding is unchanged.

    Args:
        steering: what to change.
        lengths: number of real tokens of each prompt, [b].
        n_tokens: padded length.
    """

    def __init__(self, steering: Steering, lengths: Sequence[int], n_tokens: int) -> None:
        self.steering = steering
        self.weights = torch.zeros(len(lengths), n_tokens, 1, dtype=torch.float64)
        for b, length in enumerate(lengths):
            self.weights[b, :length, 0] = torch.from_numpy(stretch(steering.token_weights, length))

    def __call__(self, hidden: torch.Tensor, layer: int) -> torch.Tensor:
        """residual[layer], [b, t, d], with the changes of this layer; the same tensor if there are none."""
        for edit in self.steering.edits.get(layer, ()):
            hidden = _change(hidden, edit, self.weights.to(hidden.device))
        return hidden

    def of(self, tokens: slice) -> "Intervention":
        """The same on hidden states of these tokens alone."""
        part = copy(self)
        part.weights = self.weights[:, tokens]
        return part


def stretch(weights: Sequence[float], n_tokens: int) -> np.ndarray:
    """Weights [n] → [n_tokens], interpolated linearly; the first and last weights apply to the first and last tokens.

    One weight applies to all tokens; a single token gets the first weight.
    """
    places = np.linspace(0.0, 1.0, n_tokens) if n_tokens > 1 else np.zeros(1)
    return np.interp(places, np.linspace(0.0, 1.0, len(weights)), np.asarray(weights, dtype=float))


def fit_width(numbers: Sequence[float], width: int, where: str = "vector") -> np.ndarray:
    """Numbers as a vector [width], repeated from the start if there are fewer.

    Raises:
        ConfigError: for more numbers than the width.
    """
    if len(numbers) > width:
        raise ConfigError(
            f"{len(numbers)} numbers",
            where=where,
            expected=f"at most {width}, the width of the model's residual stream",
        )
    return np.resize(np.asarray(numbers, dtype=np.float64), width)


def _change(hidden: torch.Tensor, edit: Edit, weights: torch.Tensor) -> torch.Tensor:
    vector = torch.from_numpy(np.asarray(edit.vector, dtype=np.float64)).to(hidden.device)
    if edit.action == "add":
        return hidden + (weights * vector).to(hidden.dtype)
    direction = (vector / vector.norm()).to(hidden.dtype)
    origin = 0.0 if edit.bias is None else torch.from_numpy(edit.bias).to(hidden)
    missing = edit.value - ((hidden - origin) * direction).sum(dim=-1, keepdim=True)
    return hidden + (weights * edit.weight).to(hidden.dtype) * missing * direction
