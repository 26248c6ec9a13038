"""Taps: hooks that catch what flows through a model in one forward and backward pass.

Nothing of the model is changed: weights stay frozen, embedding outputs become the leaves that need a
gradient, and every hook is removed at the end of the `with` block.

Index conventions: b prompt of the batch, t token of the padded batch, n real token (prompt by prompt, see `packing`),
d width; sites and layers as in `models.anatomy`.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import nn

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy, LinearMap, hidden_state
from internal_physics.recording.lookups import LookupSpy, scale_of_lookup
from internal_physics.recording.packing import Packing
from internal_physics.recording.recompute import Recompute, require_no_lookups


@dataclass
class Call:
    """One call of a module with a 2-D weight.

    Attributes:
        map: which module.
        input: [n, in], or ids [n] of an embedding; None until its block was computed again.
        scale: factor between the looked-up row and the output (Gemma's scaled embeddings); 1 for a linear map.
        output_gradient: [n, out], once the backward pass has reached it.
        version: torch's count of in-place changes of `input` when it was caught; a later count means it was changed.
    """

    map: LinearMap
    input: torch.Tensor | None
    scale: float = 1.0
    output_gradient: torch.Tensor | None = None
    version: int = 0

    def weight_side_gradient(self) -> torch.Tensor:
        """∂loss/∂(W x) as it acts on the weight, [n, out].

        A scaled embedding's rows get the scaled gradient; autograd gives a padding row no gradient.
        """
        gradient = _caught(self.output_gradient)
        gradient = gradient if self.scale == 1.0 else gradient * self.scale
        if self.map.padding_row is None:
            return gradient
        return gradient * (self.caught_input != self.map.padding_row).unsqueeze(-1)

    @property
    def caught_input(self) -> torch.Tensor:
        """`input` of a call, after it was caught.

        Raises:
            RuntimeError: it was not caught; `Taps.verify` refuses such a pass.
        """
        return _caught(self.input)

    def release(self) -> None:
        """Forget input and gradient, keeping the fact of the call."""
        self.version = 0
        self.input = self.output_gradient = torch.empty(0)


def _caught(tensor: torch.Tensor | None) -> torch.Tensor:
    if tensor is None:
        raise RuntimeError("a tensor of a call was requested but never caught")
    return tensor


@dataclass
class Flow:
    """Everything that was caught in one pass.

    Attributes:
        calls: in order of execution.
        residual: layer -> [b, t, d].
        residual_gradient: layer -> [b, t, d].
        versions: layer -> torch's count of in-place changes of the residual when it was caught.
        on_gradient: if set, called with each call as soon as its output gradient is known.
    """

    calls: list[Call] = field(default_factory=list)
    residual: dict[int, torch.Tensor] = field(default_factory=dict)
    residual_gradient: dict[int, torch.Tensor] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    on_gradient: Callable[[Call], None] | None = None


class Taps:
    """Context manager that hooks `model` and fills a Flow.

    Args:
        model: the model, its parameters frozen.
        anatomy: where its parts are.
        lengths: number of real tokens of each prompt [b]; the batch is padded on the right to the longest.
        factors: whether inputs and output gradients of linear maps are kept.
        edit: changes residual[l], as (residual, l) → residual, before block l sees it and before it is kept.
        recompute: whether blocks are computed again in the backward pass, see `recompute`.
    """

    def __init__(
        self,
        model: nn.Module,
        anatomy: Anatomy,
        lengths: Sequence[int],
        *,
        factors: bool = True,
        edit: Callable[[torch.Tensor, int], torch.Tensor] | None = None,
        recompute: bool = False,
    ) -> None:
        self.model, self.anatomy = model, anatomy
        self.packing = Packing(lengths, max(lengths))
        self.shape = self.packing.shape
        self.factors, self.edit = factors, edit
        self.flow = Flow()
        self._recompute = Recompute(self.flow.calls, self.packing.forget) if recompute else None
        self._stack = ExitStack()

    def __enter__(self) -> Flow:
        for linear_map in self.anatomy.maps:
            module = self.model.get_submodule(linear_map.site)
            if linear_map.lookup:
                self._tap_embedding(cast(nn.Embedding, module), linear_map)
            else:
                self._tap_linear(module, linear_map)
        blocks = self.anatomy.blocks(self.model)
        for layer, block in enumerate(blocks):
            self._tap_block_input(block, layer)
        self._tap_last_output(blocks[-1], len(blocks))
        if self._recompute is not None:
            require_no_lookups(self.anatomy)
            for block in blocks:
                self._stack.callback(self._recompute.wrap(block))
        return self.flow

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def verify(self) -> None:
        """Refuse a pass in which a caught tensor was later changed in place, or never caught.

        Raises:
            ArchitectureError: naming the first such place.
        """
        changed = [
            f"residual {layer}" for layer, h in self.flow.residual.items() if h._version != self.flow.versions[layer]
        ]
        kept = [(call, call.input) for call in self.flow.calls if call.input is not None]
        changed += [f"the input of {call.map.site}" for call, given in kept if given._version != call.version]
        missing = [c.map.site for c in self.flow.calls if c.input is None and c.output_gradient is not None]
        if missing:
            raise ArchitectureError(
                f"{missing[0]} was not computed again",
                where=self.anatomy.architecture,
                todo="set record.recompute to false",
            )
        if changed:
            raise ArchitectureError(
                f"{changed[0]} is changed in place after it is used", where=self.anatomy.architecture
            )

    def _hook(self, handle: torch.utils.hooks.RemovableHandle) -> None:
        self._stack.callback(handle.remove)

    def _tap_block_input(self, block: nn.Module, layer: int) -> None:
        def before(_module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
            hidden = args[0] if args else kwargs["hidden_states"]
            kept = self._keep_residual(hidden, layer)
            if kept is hidden:
                return None
            return ((kept, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": kept})

        self._hook(block.register_forward_pre_hook(before, with_kwargs=True))

    def _tap_last_output(self, block: nn.Module, layer: int) -> None:
        def after(_module: nn.Module, _args: tuple, output: torch.Tensor | tuple) -> torch.Tensor | tuple | None:
            kept = self._keep_residual(hidden_state(output), layer)
            if kept is hidden_state(output):
                return None
            return (kept, *output[1:]) if isinstance(output, tuple) else kept

        self._hook(block.register_forward_hook(after))

    def _keep_residual(self, hidden: torch.Tensor, layer: int) -> torch.Tensor:
        """Change the residual where steering says so, and keep the result, which is what the next block gets."""
        if hidden.shape != (*self.shape, self.anatomy.width):
            raise ArchitectureError(
                f"the residual stream at layer {layer} has shape {tuple(hidden.shape)}",
                where=self.anatomy.architecture,
                expected=f"[prompts, tokens, width] = {(*self.shape, self.anatomy.width)}",
            )
        if not hidden.requires_grad:
            raise ArchitectureError(
                f"the residual stream carries no gradient at layer {layer}",
                where=self.anatomy.architecture,
                expected="blocks with a backward pass",
            )
        hidden = hidden if self.edit is None else self.edit(hidden, layer)
        self.flow.residual[layer], self.flow.versions[layer] = hidden.detach(), hidden._version
        hidden.register_hook(lambda gradient: self.flow.residual_gradient.__setitem__(layer, gradient))
        return hidden

    def _tap_linear(self, module: nn.Module, linear_map: LinearMap) -> None:
        shapes: list[torch.Size] = []

        def before(_module: nn.Module, args: tuple) -> tuple | None:
            self._require_tokens(args[0], linear_map)
            shapes.append(args[0].shape)
            return (self.packing.pack(args[0])[None],) if self.packing.is_needed else None

        def after(_module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor | None:
            shape = shapes.pop()
            if not isinstance(output, torch.Tensor):
                raise ArchitectureError(
                    f"{linear_map.site} returns a {type(output).__name__}",
                    where=self.anatomy.architecture,
                    expected="a linear map that returns one tensor",
                )
            if self.factors:
                self._catch(linear_map, args[0].detach().reshape(-1, args[0].shape[-1]), output)
            return self.packing.unpack(output[0], (*shape[:-1], output.shape[-1])) if self.packing.is_needed else None

        self._hook(module.register_forward_pre_hook(before))
        self._hook(module.register_forward_hook(after))

    def _tap_embedding(self, module: nn.Embedding, linear_map: LinearMap) -> None:
        plain = type(module).forward is nn.Embedding.forward
        spy = LookupSpy(module.weight)

        def before(_module: nn.Module, _args: tuple) -> None:
            spy.start()

        def after(_module: nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
            spy.stop()
            ids = self._ids_by_prompt(args[0] if plain else spy.ids, linear_map)
            leaf = output.detach().expand(*self.shape, -1).clone().requires_grad_()
            scale = 1.0 if plain else scale_of_lookup(module, ids, leaf, self.anatomy.architecture)
            ids = self.packing.pack(ids[..., None])[:, 0]
            self._await_gradient(Call(linear_map, ids, scale=scale, version=ids._version), leaf, n_rows=len(ids))
            return leaf

        if not plain:
            self._stack.callback(spy.stop)  # a forward that fails never reaches `after`
            self._hook(module.register_forward_pre_hook(before))
        self._hook(module.register_forward_hook(after))

    def _catch(self, linear_map: LinearMap, given: torch.Tensor, output: torch.Tensor) -> None:
        """Keep the input of a linear map, once; where its block runs twice, that of the second time."""
        if self._recompute is not None and self._recompute.repeats:
            call = self._recompute.repeated_call()
            if call is None or call.map is not linear_map:
                raise ArchitectureError(
                    f"{linear_map.site} runs at another time when its block is computed again",
                    where=self.anatomy.architecture,
                    todo="set record.recompute to false",
                )
            call.input, call.version = given, given._version
            self._tell(call)
            return
        call = Call(linear_map, given, version=given._version)
        if self._recompute is not None and self._recompute.drops_inputs:
            call.input = None
        self._await_gradient(call, output, n_rows=len(given))

    def _await_gradient(self, call: Call, output: torch.Tensor, n_rows: int) -> None:
        self.flow.calls.append(call)
        if not output.requires_grad:
            return

        def keep(gradient: torch.Tensor) -> None:
            flat = gradient.reshape(-1, gradient.shape[-1])
            call.output_gradient = flat if len(flat) == n_rows else self.packing.pack(gradient)
            self._tell(call)

        output.register_hook(keep)

    def _tell(self, call: Call) -> None:
        """Report a call as complete: when its gradient arrives, its block may not have run again yet."""
        if self.flow.on_gradient is not None and call.input is not None and call.output_gradient is not None:
            self.flow.on_gradient(call)

    def _ids_by_prompt(self, ids: torch.Tensor | None, linear_map: LinearMap) -> torch.Tensor:
        """[b, t]; ids shared by the prompts (positions, segments) are expanded: each prompt has its own gradient."""
        n_prompts, n_tokens = self.shape
        if ids is None or tuple(ids.shape) not in ((n_tokens,), (1, n_tokens), (n_prompts, n_tokens)):
            problem = "no look-up" if ids is None else f"ids of shape {tuple(ids.shape)}"
            raise ArchitectureError(
                f"{linear_map.site} makes {problem}",
                where=self.anatomy.architecture,
                expected=f"one row per token, {self.shape}",
            )
        return ids.expand(self.shape)

    def _require_tokens(self, tensor: torch.Tensor, linear_map: LinearMap) -> None:
        if not self.packing.fits(tensor):
            raise ArchitectureError(
                f"{linear_map.site} works on a tensor of shape {tuple(tensor.shape)}",
                where=self.anatomy.architecture,
                expected=f"[prompts, tokens, features] with [prompts, tokens] = {self.shape}",
            )
