"""Exact gradient norms on the fly: ‖G‖ per matrix and prompt, while the backward pass runs.

Factors are dropped as soon as a matrix's norm is known, so that long prompts fit in memory. Nothing is read back from
the device before the end.

Products are in float64, except on GPUs that are slow at it: there they are in float32, and sums of more than a few
hundred of them in float64. Such a norm is wrong by at most about a rounding error times 1 + Σ |terms| / |Σ terms|,
which is counted with it (seen on one H100: 1.3e-6). Where that is above `MOST_ERROR`, the pass is repeated in float64.

Index conventions: b prompt, t and s token, i input feature, o output feature.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
import torch
from torch.nn import functional

from internal_physics.recording.arrays import ToHost, is_on_host
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.packing import Group, Packing
from internal_physics.recording.row_products import inner_products, product_dtype
from internal_physics.records.info import ParameterInfo
from internal_physics.records.trace import Key

MOST_ERROR = 1e-6  # relative, of a norm
_A_ROUNDING = 2.0**-24  # in float32; twice that of the square root of a sum, because GPUs add in rows
_MOST_PADDING = 1.25  # of the work, on the host; on a GPU one product for all prompts is faster than several
_ALL_TOGETHER = float("inf")


def stated_error(ratio: float) -> float:
    """Relative error of a norm with products in float32.

    Args:
        ratio: Σ |terms| / |Σ terms|, 1 or more; large where terms cancel.
    """
    return _A_ROUNDING * (1 + ratio)


class NormKeeper:
    """Collects norms from the calls of one pass. A matrix that is used more than once is summed up at the end.

    Args:
        flow: the pass; all its calls are known before the first gradient arrives.
        packing: which rows of a call belong to which prompt.
        products: number format of the products; by default as `product_dtype` says.
    """

    def __init__(self, flow: Flow, packing: Packing, *, products: torch.dtype | None = None) -> None:
        self.flow, self.packing, self.products = flow, packing, products
        self._may_be_short = packing.shape[0] == 1 and products != torch.float32
        self._uses: Counter[str] | None = None
        self._squared: dict[str, torch.Tensor] = {}  # matrix → [2, b], on its device: sum of terms and of their sizes
        self._waiting: dict[str, list[Call]] = {}
        self._grams = _LastGrams()
        self._short: dict[str, torch.Tensor] = {}  # matrix → a number, of one short prompt
        self._given: tuple[torch.Tensor | None, int, torch.Tensor] = (None, 0, torch.empty(0))
        self._stacks: list[torch.Tensor] = []  # [e, 2, b] of the matrices of a stack, in their order
        self._row: dict[str, int] = {}  # matrix → its row in `_found`
        self._found: torch.Tensor | None = None  # [matrix, 2, b]

    def add(self, call: Call) -> None:
        """Add a call whose output gradient has just arrived; drop its factors if its norm is now known."""
        if self._uses is None:
            self._uses = Counter(c.map.parameter for c in self.flow.calls)
        name = call.map.parameter
        if self._uses[name] > 1:
            self._waiting.setdefault(name, []).append(call)
            return
        given, gradient = call.caught_input, call.output_gradient
        if self._may_be_short and not call.map.lookup and gradient is not None and _is_short(given, gradient):
            self._short[name] = self._short_squared(given, gradient)
        else:
            self._squared[name] = self._of_calls([call])
        call.release()

    def _short_squared(self, given: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """As `outer_squared` of one prompt in float64, a number, with half as many operations."""
        if self._given[0] is not given or self._given[1] != given._version:
            self._given = (given, given._version, _flat_gram(given))
        return torch.dot(self._given[2], _flat_gram(gradient))

    def add_stack(self, names: Sequence[str], squared: torch.Tensor) -> None:
        """Add the squared norms of a stack of matrices, and the sums of the sizes of their terms, [e, 2, b]."""
        n_before = len(self._row)
        self._row |= {name: n_before + e for e, name in enumerate(names)}
        self._stacks.append(squared)

    def finish(self, to_host: ToHost) -> None:
        """Sum up the rest, and start to read all norms back at once."""
        self._squared |= {name: self._of_calls(calls) for name, calls in self._waiting.items()}
        for name, gradient in self.flow.dense.items():
            squared = gradient.double().square().sum().reshape(1, 1)
            self._squared[name] = squared.expand(2, 1)
        for name, gradient in self.flow.dense_by_prompt.items():
            self._squared[name] = gradient.double().square().sum(dim=(1, 2)).expand(2, -1)
        self._waiting.clear()
        self._grams, self._given = _LastGrams(), (None, 0, torch.empty(0))
        if self._short:
            self.add_stack([*self._short], torch.stack([*self._short.values()])[:, None, None].expand(-1, 2, 1))
        n_stacked = len(self._row)
        self._row |= {name: n_stacked + n for n, name in enumerate(self._squared)}
        found = [*self._stacks, *([torch.stack(self._on_one_device())] if self._squared else [])]
        if found:
            self._found = to_host.start(torch.cat([f.to(found[-1].device) for f in found]))

    def _on_one_device(self) -> list[torch.Tensor]:
        squared = list(self._squared.values())
        return [s.to(squared[0].device) for s in squared]

    @property
    def relative_error(self) -> float:
        """Largest relative error of a norm, as far as it comes from products in float32; 0 if none were."""
        if self._found is None or self._found.numel() == 0:
            return 0.0
        total, size = self._found[:, 0], self._found[:, 1]
        ratios = (size / total.clamp(min=torch.finfo(torch.float64).tiny))[(size > total) & size.isfinite()]
        return stated_error(float(ratios.max())) if len(ratios) else 0.0

    def tensors(self, infos: Sequence[ParameterInfo], b: int) -> dict[Key, np.ndarray]:
        """One number per matrix of prompt b that has a use; an expert without tokens has none, and a norm of zero."""
        row = self._row
        norms = np.zeros((0, 0)) if self._found is None else self._found[:, 0].clamp(min=0).sqrt().numpy()
        return {
            Key(info.name, info.layer, "gradient_norm"): np.array(norms[row[info.name], b] if info.name in row else 0.0)
            for info in infos
            if info.uses
        }

    def _of_calls(self, calls: Sequence[Call]) -> torch.Tensor:
        """‖Σ gradients of the calls‖² of each prompt, and the sum of the sizes of its terms, [2, b]."""
        first = calls[0].weight_side_gradient()
        products = self.products or product_dtype(first)
        most = _MOST_PADDING if is_on_host(first) else _ALL_TOGETHER
        if len(calls) == 1 and not calls[0].map.lookup:
            return outer_squared(
                self.packing, calls[0].caught_input, first, products=products, most_padding=most, grams=self._grams
            )
        terms = [_Term(call, self.packing, products) for call in calls]
        pairs = combinations_with_replacement(terms, 2)
        return torch.stack([_sums(a.dot(b), products) * (1 if a is b else 2) for a, b in pairs]).sum(dim=0)


def _is_short(given: torch.Tensor, gradient: torch.Tensor) -> bool:
    """Whether rows on the host are so few that their Gram matrices cost less than the gradient."""
    (n_tokens, n_in), n_out = given.shape, gradient.shape[1]
    return given.is_cpu and n_tokens * (n_in + n_out) <= n_in * n_out


class _Term:
    """One use of a matrix, its rows by prompt: given [b, t, i] or ids [b, t], and gradient [b, t, o]."""

    def __init__(self, call: Call, packing: Packing, products: torch.dtype) -> None:
        self.lookup, self.dtype = call.map.lookup, products
        self.given = packing.by_prompt(call.caught_input)
        self.gradient = packing.by_prompt(call.weight_side_gradient())
        if not self.lookup:  # a part of a matrix counts as the whole one that is zero elsewhere
            (first_out, first_in), (n_out, n_in) = call.first_features, call.n_features
            self.given = _widened(self.given, first_in, n_in)
            self.gradient = _widened(self.gradient, first_out, n_out)

    def dot(self, other: "_Term") -> torch.Tensor:
        """The terms of the inner product of two gradients of one matrix, [b, t, s]. Padding has a gradient of zero."""
        if self.lookup and other.lookup:
            same = self.given[:, :, None] == other.given[:, None, :]
            return same * inner_products(self.gradient, other.gradient, self.dtype)
        if self.lookup:
            return other.dot(self)
        if other.lookup:
            ids = other.given[:, None, :].expand(-1, self.gradient.shape[1], -1)
            looked_up = self.gradient.gather(2, ids).double()  # [b, t, s]: δ_t at the row that s looked up
            return looked_up * inner_products(self.given, other.gradient, self.dtype)
        return inner_products(self.given, other.given, self.dtype) * inner_products(
            self.gradient, other.gradient, self.dtype
        )


class _LastGrams:
    """The inner products of the tokens of the last input: maps that share it (query, key, value) follow each other."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._given: torch.Tensor | None = None  # kept alive, so that no other tensor gets its place in memory
        self._grams: list[torch.Tensor] = []

    def of(self, x: torch.Tensor, parts: Sequence[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
        """[b, t, s] of each part."""
        same = (x.data_ptr(), x.shape, x.stride(), x._version, dtype, [part.shape for part in parts])
        if self._given is None or self._of != same:
            self._of, self._given, self._grams = same, x, [_gram(part, dtype) for part in parts]
        return self._grams


def outer_squared(
    packing: Packing,
    x: torch.Tensor,
    delta: torch.Tensor,
    *,
    products: torch.dtype = torch.float64,
    most_padding: float = _ALL_TOGETHER,
    grams: _LastGrams | None = None,
) -> torch.Tensor:
    """‖Σ_t δ_t ⊗ x_t‖² of each prompt, and the sum of the sizes of its terms, in float64, [2, b].

    By token Gram matrices of prompts together, or by the dense gradient of each, which costs less if prompts are long.

    Args:
        packing: which rows belong to which prompt.
        x: [n, i], input.
        delta: [n, o], output gradient.
        products: number format of the products; sums are in float64.
        most_padding: prompts are multiplied together as long as padding adds no more than this factor of work.
        grams: keeps the Gram matrices of x for the next map with this input.
    """
    n_in, n_out = x.shape[1], delta.shape[1]
    groups = packing.groups(most_padding)
    longest = len(x) if packing.shape[0] == 1 else max(group.n_tokens for group in groups)
    if longest * (n_in + n_out) > n_in * n_out:
        return _by_dense_gradients(packing, x, delta, products)
    given = (grams or _LastGrams()).of(x, _parts(packing, groups, x), products)
    own = [_gram(part, products) for part in _parts(packing, groups, delta)]
    return torch.cat([_sums(a * b, products) for a, b in zip(given, own, strict=True)], dim=1)


def _parts(packing: Packing, groups: Sequence[Group], packed: torch.Tensor) -> list[torch.Tensor]:
    return [packing.of_group(packed, group) for group in groups]


def _by_dense_gradients(packing: Packing, x: torch.Tensor, delta: torch.Tensor, products: torch.dtype) -> torch.Tensor:
    """As `outer_squared`. Rounding errors of a gradient's entries average out: no term cancels another in the sum."""
    squared = []
    for b in range(packing.shape[0]):
        gradient = packing.of_prompt(delta, b).to(products).T @ packing.of_prompt(x, b).to(products)
        squared.append(torch.linalg.vector_norm(gradient, dtype=torch.float64).square())
    return torch.stack(squared).expand(2, -1)


def _flat_gram(rows: torch.Tensor) -> torch.Tensor:
    """Inner products in float64 of the rows [t, i], [t²]."""
    wide = rows.double()
    return torch.mm(wide, wide.t()).view(-1)


def _gram(a: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return inner_products(a, a, dtype)


def _sums(terms: torch.Tensor, products: torch.dtype) -> torch.Tensor:
    """Sum of the terms [b, t, s] and of their sizes, [2, b]; in float64 the sizes do not matter."""
    total = terms.sum(dim=(1, 2))
    if products == torch.float64:
        return total.expand(2, -1)
    return torch.stack([total, terms.abs().sum(dim=(1, 2))])


def _widened(factor: torch.Tensor, first: int, width: int) -> torch.Tensor:
    own = factor.shape[-1]
    return factor if own == width else functional.pad(factor, (first, width - first - own))
