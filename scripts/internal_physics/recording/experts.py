"""Experts of all prompts of a batch together, through the interface that transformers has for this.

The rows of all tokens are sorted by expert and prompt, and every expert multiplies once. So each prompt's own factors
are known, whatever else is in its batch. Outside of a pass that is recorded, and wherever rows cannot be told apart by
prompt, experts run as transformers has them run one by one. On the host one step of torch multiplies with all experts
of a stack where it can; elsewhere each expert multiplies in its turn, which gives the same numbers.

Index conventions: as in `stacks`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.integrations.moe import ExpertsInterface

from internal_physics.models.coverage import matrix_name, weight_of
from internal_physics.recording.awaited import Awaited
from internal_physics.recording.flow import Flow
from internal_physics.recording.operands import Part
from internal_physics.recording.packing import Packing
from internal_physics.recording.sites import Sites
from internal_physics.recording.stacks import RoutedRows, Stack, StackCall

TOGETHER, ONE_BY_ONE = "internal_physics_together", "eager"  # names of implementations, as transformers knows them
_ONE_STEP = (torch.float32, torch.bfloat16, torch.float16)  # formats that torch's grouped product takes,
_ALIGNED_BYTES = 16  # in rows of a multiple of so many bytes
_watched: "WeakKeyDictionary[nn.Module, ExpertsOfPass]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Experts:
    """The experts of a block: their module, and the stacks of their first and second product."""

    module: nn.Module
    up: Stack
    down: Stack


def can_choose(model: PreTrainedModel) -> bool:
    """Whether a model lets its experts' implementation be chosen."""
    return bool(model._can_set_experts_implementation())


def find_experts(
    modules: Iterable[nn.Module],
    names: Mapping[int, str],
    maps: Sites,
    *,
    whole: frozenset[str],
    left_out: frozenset[str],
) -> list[Experts]:
    """All experts of a model that run together, if they were told to.

    Args:
        modules: of the model.
        names: those of its weights, by identity.
        maps: gives the names of matrices.
        whole: weights whose gradients are kept whole.
        left_out: weights whose gradients are not recorded.
    """
    found = []
    for module in dict.fromkeys(modules):
        own: Any = module
        if not hasattr(module, "_is_expert_parallel") or own._is_expert_parallel:
            continue
        if getattr(own.config, "_experts_implementation", None) != TOGETHER:
            continue
        stacks = [_stack(own, name, names, maps) for name in (_first(own), "down_proj")]
        if all(stack is not None and stack.parameter not in whole for stack in stacks):
            found.append(Experts(module, *(_recorded(stack, whole, left_out) for stack in stacks if stack is not None)))
    return found


def _first(module: Any) -> str:
    return "gate_up_proj" if module.has_gate else "up_proj"


def _stack(module: Any, attribute: str, names: Mapping[int, str], maps: Sites) -> Stack | None:
    """None where the weight is no stack of plain matrices."""
    weight = getattr(module, attribute, None)
    if not isinstance(weight, nn.Parameter) or weight.ndim != 3 or not weight.is_floating_point():
        return None
    name, shape, stored_in_first = names[id(weight)], (weight.shape[1], weight.shape[2]), bool(module.is_transposed)
    parts = [Part(name, matrix_name(name, e), shape, (0, 0), False, len(weight)) for e in range(len(weight))]
    own = tuple(maps.of(part, lookup=False, transposed=stored_in_first) for part in parts)
    whole = weight.detach() if stored_in_first else weight.detach().mT
    matrices = whole.unbind()
    if not module.has_bias:
        return Stack(name, own, matrices, whole=whole if _in_one_step(weight) else None)
    bias = getattr(module, f"{attribute}_bias")
    return Stack(name, own, matrices, names[id(bias)], bias.detach().unbind())


def _in_one_step(weight: torch.Tensor) -> bool:
    """Whether torch multiplies with a stack on the host in one step, in the very numbers of products one by one."""
    fits = all(n * weight.itemsize % _ALIGNED_BYTES == 0 for n in weight.shape[1:])
    return fits and weight.is_cpu and weight.is_contiguous() and weight.dtype in _ONE_STEP


def _recorded(stack: Stack, whole: frozenset[str], left_out: frozenset[str]) -> Stack:
    """A stack with the names of only what is recorded."""
    maps = () if stack.parameter in left_out else stack.maps
    return replace(stack, maps=maps, bias=stack.bias if stack.bias in whole else "")


class ExpertsOfPass:
    """Context manager in which experts run together, and what flows through them is kept.

    Args:
        experts: of the model.
        packing: which rows belong to which prompt.
        flow: gets the uses of stacks; none if gradients of weights are not recorded.
        awaited: gives the gradients of products in one step.
        is_in_order: whether the rows of an input are the tokens of the batch.
        keep_order: notes that those of an output are.
    """

    def __init__(
        self,
        experts: Sequence[Experts],
        packing: Packing,
        flow: Flow | None,
        awaited: Awaited,
        *,
        is_in_order: Callable[[torch.Tensor], bool],
        keep_order: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        self.packing, self._flow, self._awaited = packing, flow, awaited
        self._is_in_order, self._keep_order = is_in_order, keep_order
        self._experts = {own.module: own for own in experts}

    def __enter__(self) -> "ExpertsOfPass":
        _watched.update(dict.fromkeys(self._experts, self))
        return self

    def __exit__(self, *exception: object) -> None:
        for module in self._experts:
            _watched.pop(module, None)

    @property
    def biases(self) -> set[str]:
        """Weights whose gradients are kept whole for each prompt here."""
        return {stack.bias for own in self._experts.values() for stack in (own.up, own.down)}

    def used_otherwise(self) -> set[str]:
        """Stacks that were used more or less than once, or in another way as well, which their norms leave out."""
        if self._flow is None or not self._experts:
            return set()
        times = Counter(call.stack.parameter for call in self._flow.stacks)
        in_stacks = {name for call in self._flow.calls if (name := call.map.parameter).endswith("]")}
        times.update({weight_of(name) for name in in_stacks})
        stacks = [stack for own in self._experts.values() for stack in (own.up, own.down) if stack.maps]
        return {stack.parameter for stack in stacks if times[stack.parameter] != 1}

    def can_run(self, hidden: torch.Tensor, chosen: torch.Tensor) -> bool:
        """Whether each row is a token of the batch, in order, with experts of its own."""
        fits = hidden.ndim == 2 and chosen.ndim == 2 and len(hidden) == len(chosen)
        return fits and self.packing.fits(hidden) and (self.packing.shape[0] == 1 or self._is_in_order(hidden))

    def run(self, module: Any, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """What the experts give for each token, [n, d] of the padded batch; zero at padding."""
        own, pack = self._experts[module], self.packing.pack
        rows = RoutedRows(pack(chosen), self.packing, len(own.up.matrices))
        outer = self._product(own.up, rows, rows.spread(pack(hidden)))
        inner = module._apply_gate(outer) if module.has_gate else module.act_fn(outer)
        output = self._product(own.down, rows, inner)
        if module.has_post_expert_norm:
            output = module.post_expert_norm(output)
        share = pack(weights).T.reshape(-1).index_select(0, rows.order)
        summed = rows.gather(output * share[:, None]).to(hidden.dtype)
        return self._keep_order(self.packing.unpack(summed, hidden.shape) if self.packing.is_needed else summed)

    def _product(self, stack: Stack, rows: RoutedRows, given: torch.Tensor) -> torch.Tensor:
        keep = None
        if self._flow is not None and stack.maps:
            call = StackCall(stack, rows, given.detach())
            self._flow.stacks.append(call)
            keep = _Keep(self._flow, call)
        with torch._C.DisableTorchFunction():  # a watch on torch's functions need not see this
            if stack.whole is None:
                product: torch.Tensor = _Products.apply(given, stack, rows, keep)
                return product
            product = functional.grouped_mm(given.contiguous(), stack.whole, offs=rows.ends)
        if keep is not None and product.requires_grad:
            self._awaited.add(product, keep)
        return product


class _Keep:
    """Takes the output gradient of one use."""

    def __init__(self, flow: Flow, call: StackCall) -> None:
        self._flow, self._call = flow, call

    def __call__(self, gradient: torch.Tensor) -> None:
        call = self._call
        call.output_gradient = gradient.detach()
        if call.stack.bias:
            self._flow.dense_by_prompt[call.stack.bias] = call.rows.sums(call.output_gradient)
        if self._flow.on_stack is not None:
            self._flow.on_stack(call)


class _Products(torch.autograd.Function):
    """Rows [s, in] times the matrix of each one's expert, plus its bias: [s, out]. Weights get no gradient."""

    @staticmethod
    def forward(
        ctx: Any, given: torch.Tensor, stack: Stack, rows: RoutedRows, keep: Callable[[torch.Tensor], None] | None
    ) -> torch.Tensor:
        ctx.stack, ctx.rows, ctx.keep = stack, rows, keep
        output = given.new_empty(len(given), stack.matrices[0].shape[1])
        for (e, own), result in zip(rows.by_expert(given), output.split(rows.sizes), strict=True):
            if stack.biases:
                torch.addmm(stack.biases[e], own, stack.matrices[e], out=result)
            else:
                torch.mm(own, stack.matrices[e], out=result)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple:
        if ctx.keep is not None:
            ctx.keep(gradient)
        given = gradient.new_empty(len(gradient), ctx.stack.matrices[0].shape[0])
        for (e, own), result in zip(ctx.rows.by_expert(gradient), given.split(ctx.rows.sizes), strict=True):
            torch.mm(own, ctx.stack.matrices[e].T, out=result)
        return given, None, None, None


def changed_inputs(flow: Flow) -> list[str]:
    """Inputs of stacks that were changed in place after they were used, in words."""
    return [f"the input of {call.stack.parameter}" for call in flow.stacks if call.input._version != call.version]


def _run_experts(
    module: nn.Module, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """The function that transformers calls instead of a module's own forward; its names of arguments."""
    of_pass = _watched.get(module)
    if of_pass is not None and of_pass.can_run(hidden_states, top_k_index):
        return of_pass.run(module, hidden_states, top_k_index, top_k_weights)
    one_by_one: Any = type(module).forward
    result: torch.Tensor = one_by_one.__wrapped__(module, hidden_states, top_k_index, top_k_weights)
    return result


ExpertsInterface.register(TOGETHER, _run_experts)
