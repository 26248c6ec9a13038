"""Exact gradient norms on the fly: ‖G‖ per matrix and prompt, while the backward pass runs.

Factors are dropped as soon as a matrix's norm is known, so that long prompts fit in memory. Nothing is read back from
the device before the end.
Index conventions: b prompt, t and s token, i input feature, o output feature.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.packing import Packing
from internal_physics.records.trace import Key, ParameterInfo

_NUMBERS_AT_ONCE = 2**22  # float64 numbers of a factor converted at a time: 32 MB


class NormKeeper:
    """Collects norms from the calls of one pass. A matrix that is used more than once is summed up at the end.

    Args:
        flow: the pass; all its calls are known before the first gradient arrives.
        packing: which rows of a call belong to which prompt.
    """

    def __init__(self, flow: Flow, packing: Packing) -> None:
        self.flow, self.packing = flow, packing
        self._uses: Counter[str] | None = None
        self._squared: dict[str, torch.Tensor] = {}  # matrix → [b], on its device
        self._waiting: dict[str, list[Call]] = {}
        self._norms: dict[str, np.ndarray] | None = None

    def add(self, call: Call) -> None:
        """Add a call whose output gradient has just arrived; drop its factors if its norm is now known."""
        if self._uses is None:
            self._uses = Counter(c.map.parameter for c in self.flow.calls)
        name = call.map.parameter
        if self._uses[name] > 1:
            self._waiting.setdefault(name, []).append(call)
            return
        self._squared[name] = self._of_calls([call])
        call.release()

    def tensors(self, infos: Sequence[ParameterInfo], b: int) -> dict[Key, np.ndarray]:
        """One number per matrix of prompt b; zero for a matrix without uses."""
        if self._norms is None:
            self._norms = self._read()
        zero = np.zeros(self.packing.shape[0])
        return {
            Key(info.name, info.layer, "gradient_norm"): np.array(self._norms.get(info.name, zero)[b]) for info in infos
        }

    def _read(self) -> dict[str, np.ndarray]:
        """Matrix → [b] norms, read back from the device at once."""
        squared = dict(self._squared)
        squared |= {name: self._of_calls(calls) for name, calls in self._waiting.items()}
        squared |= {name: g.double().square().sum().reshape(1) for name, g in self.flow.dense.items()}
        if not squared:
            return {}
        first = next(iter(squared.values())).device
        norms = torch.stack([s.to(first) for s in squared.values()]).clamp(min=0).sqrt().cpu().numpy()
        return dict(zip(squared, norms, strict=True))

    def _of_calls(self, calls: Sequence[Call]) -> torch.Tensor:
        """‖Σ gradients of the calls‖² of each prompt, [b]."""
        if len(calls) == 1 and not calls[0].map.lookup:
            call = calls[0]
            return outer_squared(self.packing, call.caught_input, call.weight_side_gradient())
        terms = [_Term(call, self.packing) for call in calls]
        return torch.stack([a.dot(b) for a in terms for b in terms]).sum(dim=0)


class _Term:
    """One use of a matrix, its rows by prompt: given [b, t, i] or ids [b, t], and gradient [b, t, o]."""

    def __init__(self, call: Call, packing: Packing) -> None:
        self.lookup = call.map.lookup
        self.given = packing.by_prompt(call.caught_input)
        self.gradient = packing.by_prompt(call.weight_side_gradient())
        if not self.lookup:  # a part of a matrix counts as the whole one that is zero elsewhere
            (first_out, first_in), (n_out, n_in) = call.first_features, call.n_features
            self.given = _widened(self.given, first_in, n_in)
            self.gradient = _widened(self.gradient, first_out, n_out)

    def dot(self, other: "_Term") -> torch.Tensor:
        """Inner product of two gradients of one matrix, [b]. Padding has a gradient of zero."""
        if self.lookup and other.lookup:
            same = self.given[:, :, None] == other.given[:, None, :]
            return (same * products(self.gradient, other.gradient)).sum(dim=(1, 2))
        if self.lookup:
            return other.dot(self)
        if other.lookup:
            ids = other.given[:, None, :].expand(-1, self.gradient.shape[1], -1)
            looked_up = self.gradient.gather(2, ids).double()  # [b, t, s]: δ_t at the row that s looked up
            return (looked_up * products(self.given, other.gradient)).sum(dim=(1, 2))
        return (products(self.given, other.given) * products(self.gradient, other.gradient)).sum(dim=(1, 2))


def outer_squared(packing: Packing, x: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
    """‖Σ_t δ_t ⊗ x_t‖² of each prompt in float64, [b], by token Gram matrices or the dense gradient, which costs less.

    Args:
        packing: which rows belong to which prompt.
        x: [n, i], input.
        delta: [n, o], output gradient.
    """
    of_prompts = ((packing.of_prompt(x, b), packing.of_prompt(delta, b)) for b in range(packing.shape[0]))
    return torch.stack([_squared(given.double(), own.double()) for given, own in of_prompts])


def _squared(x: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
    n_tokens, n_in, n_out = x.shape[0], x.shape[1], delta.shape[1]
    if n_tokens * (n_in + n_out) <= n_in * n_out:
        return ((x @ x.T) * (delta @ delta.T)).sum()
    return (delta.T @ x).square().sum()


def products(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """All inner products of the rows of each prompt, [b, t, s], in float64; wide rows are converted in slices.

    Args:
        a: [b, t, i].
        b: [b, s, i].
    """
    step = max(1, _NUMBERS_AT_ONCE // max(1, a.shape[0] * max(a.shape[1], b.shape[1])))
    total = a.new_zeros((a.shape[0], a.shape[1], b.shape[1]), dtype=torch.float64)
    for start in range(0, a.shape[2], step):
        wide = a[:, :, start : start + step].double()
        other = wide if b is a else b[:, :, start : start + step].double()
        total = total.baddbmm_(wide, other.mT)
    return total


def _widened(factor: torch.Tensor, first: int, width: int) -> torch.Tensor:
    own = factor.shape[-1]
    return factor if own == width else functional.pad(factor, (first, width - first - own))
