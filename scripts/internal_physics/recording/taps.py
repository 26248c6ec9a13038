"""Taps: what flows through a model in one forward and backward pass is caught.

Hooks catch the residual stream; a watch on torch's functions catches every product with a weight, in whatever module.
Nothing of the model is changed: weights stay frozen (but those kept whole, meanwhile), looked-up rows become the leaves
that need a gradient, and every hook is removed at the end of the `with` block.

Index conventions: b prompt of the batch, t token of the padded batch, n real token (prompt by prompt, see `packing`),
d width; sites and layers as in `models.anatomy`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial

import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy, LinearMap
from internal_physics.models.stream import tap_stream
from internal_physics.recording.awaited import Awaited
from internal_physics.recording.calls import Calls
from internal_physics.recording.experts import Experts, ExpertsOfPass
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.operands import Part
from internal_physics.recording.order import RowOrder
from internal_physics.recording.packing import Packing
from internal_physics.recording.plain_maps import Forward, Note, PlainMap, caught, noting
from internal_physics.recording.recompute import Recompute, require_no_lookups
from internal_physics.recording.residuals import Edit, Residuals
from internal_physics.recording.routing import Routing
from internal_physics.recording.verify import require_caught, require_known_uses
from internal_physics.recording.watch import Run, Watch
from internal_physics.recording.watched import EveryFunction, OnWeights, can_be_watched
from internal_physics.recording.wiring import Wiring


class Taps:
    """Context manager that hooks `model` and fills a Flow.

    Args:
        model: the model, its parameters frozen.
        anatomy: where its parts are.
        lengths: number of real tokens of each prompt [b]; the batch is padded on the right to the longest.
        factors: whether inputs and output gradients of linear maps are kept.
        edit: changes residual[l], as (residual, l) → residual, before block l sees it and before it is kept.
        recompute: whether blocks are computed again in the backward pass, see `recompute`.
        wiring: of the model, if it was found before.
        thorough: whether all uses of weights are noted in `watch.others`, for the self-check.
        together: whether gradients are taken when the pass has ended, by `backward`; else by any backward pass, as
            they arrive.
    """

    def __init__(
        self,
        model: nn.Module,
        anatomy: Anatomy,
        lengths: Sequence[int],
        *,
        factors: bool = True,
        edit: Edit | None = None,
        recompute: bool = False,
        wiring: Wiring | None = None,
        thorough: bool = False,
        together: bool = False,
    ) -> None:
        self.model, self.anatomy = model, anatomy
        self.packing = Packing(lengths, max(lengths))
        self.shape = self.packing.shape
        self.factors = factors
        self.flow, self._order = Flow(), RowOrder()
        self._awaited = Awaited(together=together and not recompute)
        self._residuals = Residuals(
            anatomy, self.shape, self.flow, edit, passed_on=self._order.add, awaited=self._awaited
        )
        self._recompute = Recompute(self.flow.calls, self._again) if recompute else None
        self.wiring = wiring or Wiring(model, anatomy, factors=factors)
        self.routing = Routing(model, self.wiring.routers, self.packing)
        self._calls = Calls(
            self.flow,
            self.packing,
            self.routing,
            self._awaited,
            self._recompute,
            architecture=anatomy.architecture,
            factors=factors,
            before=self._call_noted,
        )
        self.maps, operands = self.wiring.maps, self.wiring.operands
        self._every_function = self.wiring.every_function or not can_be_watched(operands.weights)
        self._notes_all = thorough
        self._experts = self._experts_together(() if recompute or thorough else self.wiring.experts)
        self.dense = {n: p for n, p in self.wiring.dense.items() if n not in self._experts.biases}
        self.watch = Watch(operands, self, thorough=thorough or not self._every_function)
        self._last_rows: tuple[torch.Tensor | None, int, torch.Tensor] = (None, 0, torch.empty(0))
        self._noted: list[Note] = []
        self._stack = ExitStack()

    def __enter__(self) -> Flow:
        for weight in self.dense.values():
            weight.requires_grad_(True)
        for module, linear_map in self.wiring.quantized:
            self._tap_quantized(module, linear_map)
        blocks = self.anatomy.blocks(self.model)
        for handle in tap_stream(self.anatomy.entries(self.model), blocks, self.anatomy.n_layers, self._residuals.keep):
            self._hook(handle)
        if self._recompute is not None:
            require_no_lookups(self.anatomy)
            for block in blocks:
                self._stack.callback(self._recompute.wrap(block))
        self._stack.enter_context(self.routing)
        self._stack.enter_context(self._experts)
        self._stack.callback(self.wiring.operands.forget_copies)
        self._watch_weights()
        return self.flow

    def _watch_weights(self) -> None:
        if self._every_function:
            self._stack.enter_context(EveryFunction(self.watch))
        elif self.shape[0] == 1 and not self.factors:  # nothing is kept of plain maps, and there is no padding
            self._stack.enter_context(OnWeights(self.watch, self.wiring.watched_alone))
        else:
            self._stack.enter_context(caught(self.wiring.plain, self._forward_of))
            self._stack.enter_context(OnWeights(self.watch, self.wiring.operands.weights))

    def backward(self, target: torch.Tensor) -> None:
        """Run the backward pass of a number, within the context."""
        self._call_noted()
        self._awaited.backward(target)

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._order.forget()
        self._noted.clear()
        self._last_rows = (None, 0, torch.empty(0))
        for name, parameter in self.dense.items():
            if parameter.grad is not None:
                self.flow.dense[name] = parameter.grad
            parameter.grad = None
            parameter.requires_grad_(False)

    def verify(self) -> None:
        """Refuse a pass in which a caught tensor was later changed in place, or never caught, or a weight used in a way
        that the self-check has not seen.

        Raises:
            ArchitectureError: naming the first such place.
        """
        require_caught(self.flow, self.anatomy.architecture)
        if self.factors and not self._notes_all:
            uses = {name: ", ".join(sorted(functions)) for name, functions in self.watch.others.items()}
            uses |= dict.fromkeys(self.maps.contradictory, "a product with its transpose")
            uses |= dict.fromkeys(self._experts.used_otherwise(), "not by all experts together, once")
            require_known_uses(uses, self.wiring.unreached, self.anatomy.architecture)

    @contextmanager
    def _again(self) -> Iterator[None]:
        """Around a block that is computed again: torch watches no functions in a backward pass."""
        self.packing.forget()
        watched: AbstractContextManager = EveryFunction(self.watch) if self._every_function else nullcontext()
        with watched:
            yield

    def _experts_together(self, experts: Sequence[Experts]) -> ExpertsOfPass:
        flow = self.flow if self.factors else None
        return ExpertsOfPass(
            experts, self.packing, flow, self._awaited, is_in_order=self._is_in_order, keep_order=self._kept_in_order
        )

    def _hook(self, handle: torch.utils.hooks.RemovableHandle) -> None:
        self._stack.callback(handle.remove)

    def _forward_of(self, plain: PlainMap) -> Forward:
        """What a plain map runs in this pass; for one prompt alone in as few steps as can be."""
        if self.shape[0] > 1 or not self._awaited.together or self.routing.scores(plain.part.parameter):
            return partial(self._forward, plain)
        return noting(plain, self._noted)

    def _call_noted(self) -> None:
        """Make calls of what plain maps have noted: one after the other, which is faster than each in its turn."""
        for plain, given, version, node in self._noted:
            self._calls.add_noted(Call(plain.map, self._rows(given), version=version), node)
        self._noted.clear()

    def _forward(self, plain: PlainMap, input: torch.Tensor) -> torch.Tensor:
        return self.product(plain.part, input, plain.run, stored_out_first=True)

    def product(self, part: Part, given: torch.Tensor, run: Run, *, stored_out_first: bool) -> torch.Tensor:
        """Run a product on the real tokens, and keep its input and the gradient of its output; see `watch.Catches`."""
        linear_map = self.maps.of(part, lookup=False, transposed=not stored_out_first)
        if self.shape[0] == 1:
            output = run(given)
            self._calls.catch(linear_map, self._rows(given), output, first=part.first)
            return output
        in_order = not part.in_stack and self._is_in_order(given)
        if self.packing.is_needed and in_order:
            packed = self.packing.pack(given)
            output = run(packed if given.ndim == 2 else packed.view(*[1] * (given.ndim - 2), *packed.shape))
            self._calls.catch(linear_map, packed.detach(), output, first=part.first)
            flat = output.reshape(len(packed), -1)
            return self._kept_in_order(self.packing.unpack(flat, (*given.shape[:-1], flat.shape[-1])))
        output = run(given)
        self._calls.catch(linear_map, self._rows(given), output, first=part.first, mixed=not in_order)
        return self._kept_in_order(output) if in_order else output

    def _rows(self, given: torch.Tensor) -> torch.Tensor:
        """[..., in] → [n, in], the very same tensor for maps that share an input."""
        last, version, rows = self._last_rows
        if last is not given or version != given._version:
            rows = given.detach().reshape(-1, given.shape[-1])
            self._last_rows = (given, given._version, rows)
        return rows

    def _is_in_order(self, given: torch.Tensor) -> bool:
        """Whether the rows of an input are the tokens of the batch, and not as many in another order."""
        return self.packing.fits(given) and (given.ndim > 2 or not self._order.is_lost(given))

    def _kept_in_order(self, output: torch.Tensor) -> torch.Tensor:
        if self.shape[0] > 1:
            self._order.add(output)
        return output

    def products(self, parts: Sequence[Part], given: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Keep inputs and output gradients of the products of a stack; see `watch.Catches`."""
        outputs = output.unbind()
        for part, own, result in zip(parts, given.detach(), outputs, strict=True):
            linear_map = self.maps.of(part, lookup=False, transposed=not part.flipped)
            self._calls.catch(linear_map, own, result, first=part.first, mixed=True)
        return torch.stack(outputs)

    def lookup(self, part: Part, ids: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Make looked-up rows a leaf, and keep its gradient; see `watch.Catches`.

        Ids that prompts share (positions, segments) are expanded: each prompt has its own gradient. What is looked up
        where no gradient flows (fixed positions) stays as it is. A copy is returned, which may be changed in place.
        """
        if not torch.is_grad_enabled():
            return rows
        linear_map, (n_prompts, n_tokens) = self.maps.of(part, lookup=True, transposed=False), self.shape
        mixed = tuple(ids.shape) not in ((n_tokens,), (1, n_tokens), (n_prompts, n_tokens))
        if n_prompts == 1 or mixed:
            leaf, ids = rows.detach().clone().requires_grad_(), ids.reshape(-1)
        else:
            leaf = rows.detach().expand(*self.shape, -1).clone().requires_grad_()
            ids = self.packing.pack(ids.expand(self.shape)[..., None])[:, 0]
        call = Call(linear_map, ids, version=ids._version)
        self._calls.await_gradient(call, leaf, n_rows=len(ids), mixed=mixed)
        return leaf.clone()

    def _tap_quantized(self, module: nn.Module, linear_map: LinearMap) -> None:
        """Packed weights are no operand of a product that could be watched: the module's own input and output are."""
        part = Part(linear_map.parameter, linear_map.parameter, linear_map.shape, (0, 0), flipped=False)
        shapes: list[torch.Size] = []

        def before(_module: nn.Module, args: tuple) -> tuple | None:
            shapes.append(args[0].shape)
            packs = self.packing.is_needed and self._is_in_order(args[0])
            return (self.packing.pack(args[0])[None],) if packs else None

        def after(_module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor | None:
            shape, given = shapes.pop(), args[0].detach()
            packs = given.shape != shape
            mixed = self.shape[0] > 1 and not packs and not self._is_in_order(args[0])
            self._calls.catch(linear_map, given.reshape(-1, given.shape[-1]), output, first=part.first, mixed=mixed)
            if packs:
                return self._kept_in_order(self.packing.unpack(output[0], (*shape[:-1], output.shape[-1])))
            return None if mixed else self._kept_in_order(output)

        self._hook(module.register_forward_pre_hook(before))
        self._hook(module.register_forward_hook(after))
