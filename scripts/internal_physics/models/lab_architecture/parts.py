"""Parts of a block of a lab model: norm, MLP, and the short convolutions along the tokens (Canon layers).

Index conventions: b row, t token, c channel, k step back.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from internal_physics.models.lab_architecture.configuration import LabConfig

CANON_KERNEL = 4


def map_to_stream(n_in: int, n_out: int, *, bias: bool) -> nn.Linear:
    """The last map of attention or of the MLP, whose first weights are smaller (see `LabPreTrainedModel`)."""
    linear: Any = nn.Linear(n_in, n_out, bias=bias)
    linear.writes_to_stream = True
    return linear


def norm(config: LabConfig, *, has_gain: bool = True) -> nn.Module:
    """A norm over the width, with or without a gain; with it, a LayerNorm has a bias where the maps have some."""
    if config.norm == "rms":
        return nn.RMSNorm(config.hidden_size, eps=config.norm_eps, elementwise_affine=has_gain)
    return nn.LayerNorm(config.hidden_size, eps=config.norm_eps, elementwise_affine=has_gain, bias=config.biases)


def _relu_squared(x: torch.Tensor) -> torch.Tensor:
    return functional.relu(x).square()


def _gelu(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gelu": _gelu,
    "silu": functional.silu,
    "relu_squared": _relu_squared,
}


class Canon(nn.Module):
    """y[t, c] = x[t, c] + Σ_k w[c, k] · x[t - k, c] for k = 0..3; before the first token there are zeros."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.conv = nn.Parameter(torch.empty(n_channels, CANON_KERNEL))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, t, c] → [b, t, c]."""
        if self.training and x.requires_grad:
            return _InPlace.apply(x, self.conv)
        y = x * (1 + self.conv[:, 0])
        for k in range(1, min(CANON_KERNEL, x.shape[1])):
            y = y + functional.pad(x[:, :-k] * self.conv[:, k], (0, 0, k, 0))
        return y


class _InPlace(torch.autograd.Function):
    """The same convolution in a quarter of the time: shifted products are added in place, weights laid out by step."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, conv: torch.Tensor) -> torch.Tensor:
        w = conv.T.contiguous()  # [k, c]
        ctx.save_for_backward(x, w)
        y = x * (1 + w[0])
        for k in range(1, min(CANON_KERNEL, x.shape[1])):
            y[:, k:].addcmul_(x[:, :-k], w[k])
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        x, w = ctx.saved_tensors
        (g,) = gradients
        dx, steps_back = g * (1 + w[0]), range(1, min(CANON_KERNEL, x.shape[1]))
        for k in steps_back:
            dx[:, :-k].addcmul_(g[:, k:], w[k])
        if not ctx.needs_input_grad[1]:  # of a frozen model
            return dx, None
        dw = torch.zeros_like(w)
        dw[0] = (g * x).sum((0, 1))
        for k in steps_back:
            dw[k] = (g[:, k:] * x[:, :-k]).sum((0, 1))
        return dx, dw.T


def canon(config: LabConfig, place: str, n_channels: int) -> nn.Module:
    """The convolution at a place (A, B, C or D), or what changes nothing where the config has none there."""
    return Canon(n_channels) if place in config.canon else nn.Identity()


class LabMlp(nn.Module):
    """down(act(up x)), or down(act(gate x) · up x); Canon D is on what the activation is given."""

    def __init__(self, config: LabConfig) -> None:
        super().__init__()
        d, m, bias = config.hidden_size, config.intermediate_size, config.biases
        self.act = ACTIVATIONS[config.activation]
        self.is_gated = config.mlp == "gated"
        if self.is_gated:
            self.gate_proj = nn.Linear(d, m, bias=bias)
        self.up_proj = nn.Linear(d, m, bias=bias)
        self.down_proj = map_to_stream(m, d, bias=bias)
        self.canon_d = canon(config, "D", m)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, t, d] → [b, t, d]."""
        if self.is_gated:
            return self.down_proj(self.act(self.canon_d(self.gate_proj(x))) * self.up_proj(x))
        return self.down_proj(self.act(self.canon_d(self.up_proj(x))))
