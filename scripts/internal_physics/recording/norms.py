"""Exact gradient norms on the fly: ‖G‖ per parameter and prompt, while the backward pass runs.

Factors are dropped as soon as a parameter's norm is known, so that long prompts fit in memory.
Index conventions: b prompt, t token, i input feature, o output feature.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from internal_physics.recording.arrays import to_numpy
from internal_physics.recording.packing import Packing
from internal_physics.recording.taps import Call, Flow
from internal_physics.records.gradients import FactoredGradient, LookupTerm, OuterTerm, Term
from internal_physics.records.trace import Key, ParameterInfo


class NormKeeper:
    """Collects norms from the calls of one pass. A parameter used more than once is summed up at the end.

    Args:
        flow: the pass; all its calls are known before the first gradient arrives.
        packing: which rows of a call belong to which prompt.
    """

    def __init__(self, flow: Flow, packing: Packing) -> None:
        self.flow, self.packing = flow, packing
        self._uses: Counter[str] | None = None
        self._norms: dict[str, list[float]] = {}
        self._waiting: dict[str, list[Call]] = {}

    def add(self, call: Call) -> None:
        """Add a call whose output gradient has just arrived; drop its factors if its norm is now known."""
        if self._uses is None:
            self._uses = Counter(c.map.parameter for c in self.flow.calls)
        name = call.map.parameter
        if self._uses[name] > 1:
            self._waiting.setdefault(name, []).append(call)
            return
        gradient, of_prompt = call.weight_side_gradient(), self.packing.of_prompt
        norm = lookup_norm if call.map.lookup else outer_norm
        prompts = range(self.packing.shape[0])
        self._norms[name] = [norm(of_prompt(call.caught_input, b), of_prompt(gradient, b)) for b in prompts]
        call.release()

    def tensors(self, infos: Sequence[ParameterInfo], b: int) -> dict[Key, np.ndarray]:
        """One number per parameter of prompt b."""
        for info in infos:
            if info.name not in self._norms:
                self._norms[info.name] = [self._sum(info, prompt) for prompt in range(self.packing.shape[0])]
        return {Key(info.name, info.layer, "gradient_norm"): np.array(self._norms[info.name][b]) for info in infos}

    def _sum(self, info: ParameterInfo, b: int) -> float:
        terms = tuple(self._term(call, b) for call in self._waiting[info.name])
        return FactoredGradient(info.shape, terms, info.transposed).norm()

    def _term(self, call: Call, b: int) -> Term:
        gradient = to_numpy(self.packing.of_prompt(call.weight_side_gradient(), b))
        rows = self.packing.of_prompt(call.caught_input, b)
        return LookupTerm(rows.cpu().numpy(), gradient) if call.map.lookup else OuterTerm(to_numpy(rows), gradient)


def outer_norm(x: torch.Tensor, delta: torch.Tensor) -> float:
    """‖Σ_t δ_t ⊗ x_t‖ in float64, by token Gram matrices or by the dense gradient, whichever costs less.

    Args:
        x: [t, i], input.
        delta: [t, o], output gradient.
    """
    n_tokens, n_in, n_out = x.shape[0], x.shape[1], delta.shape[1]
    x, delta = x.double(), delta.double()
    if n_tokens * (n_in + n_out) <= n_in * n_out:
        squared = ((x @ x.T) * (delta @ delta.T)).sum()
    else:
        squared = (delta.T @ x).square().sum()
    return float(squared.clamp(min=0).sqrt())


def lookup_norm(ids: torch.Tensor, delta: torch.Tensor) -> float:
    """Norm of an embedding's gradient in float64: rows of equal ids add up.

    Args:
        ids: [t].
        delta: [t, i], output gradient.
    """
    unique, place = ids.unique(return_inverse=True)
    rows = torch.zeros(len(unique), delta.shape[1], dtype=torch.float64, device=delta.device)
    return float(rows.index_add_(0, place, delta.double()).norm())
