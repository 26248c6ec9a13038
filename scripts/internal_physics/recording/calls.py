"""The uses of weights in one pass: each is kept with its input, and is complete once its output has a gradient."""

from collections.abc import Callable

import torch
from torch.autograd.graph import Node

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import LinearMap
from internal_physics.recording.awaited import Awaited
from internal_physics.recording.flow import Call, Flow
from internal_physics.recording.packing import Packing
from internal_physics.recording.recompute import Recompute
from internal_physics.recording.routing import Routing


class Calls:
    """Keeps calls in a Flow, and tells it of those that are complete.

    Args:
        flow: of the pass.
        packing: which rows of a call belong to which prompt.
        routing: is told of every product.
        awaited: gives the gradients.
        recompute: knows which call is repeated, where blocks are computed again.
        architecture: for messages.
        factors: whether inputs and output gradients are kept.
        before: adds calls that were only noted so far, so that all are in order.
    """

    def __init__(
        self,
        flow: Flow,
        packing: Packing,
        routing: Routing,
        awaited: Awaited,
        recompute: Recompute[Call] | None,
        *,
        architecture: str,
        factors: bool,
        before: Callable[[], None],
    ) -> None:
        self._flow, self._packing, self._routing, self._awaited = flow, packing, routing, awaited
        self._recompute, self._architecture, self._factors, self._before = recompute, architecture, factors, before
        self._is_alone = packing.shape[0] == 1

    def catch(
        self,
        linear_map: LinearMap,
        given: torch.Tensor,
        output: torch.Tensor,
        *,
        first: tuple[int, int] = (0, 0),
        mixed: bool = False,
    ) -> None:
        """Keep the input [n, in] of a linear map, once; where its block runs twice, that of the second time.

        Args:
            linear_map: the map.
            given: its input.
            output: its output, [..., out], whose gradient is waited for.
            first: (row, column) of the matrix where the part begins that was multiplied.
            mixed: whether its rows cannot be told apart by prompts.

        Raises:
            ArchitectureError: a block that is computed again runs its maps in another order.
        """
        self._routing.scored(linear_map.parameter, output)
        if not self._factors:
            self._note_mixed(linear_map, mixed)
            return
        if self._recompute is not None and self._recompute.repeats:
            call = self._recompute.repeated_call()
            if call is None or call.map is not linear_map:
                raise ArchitectureError(
                    f"{linear_map.site} runs at another time when its block is computed again",
                    where=self._architecture,
                    todo="set record.recompute to false",
                )
            call.input, call.version = given, given._version
            self._tell(call)
            return
        call = Call(linear_map, given, version=given._version, first=first)
        if self._recompute is not None and self._recompute.drops_inputs:
            call.input = None
        self.await_gradient(call, output, n_rows=given.shape[0], mixed=mixed)

    def await_gradient(self, call: Call, output: torch.Tensor, n_rows: int, *, mixed: bool) -> None:
        """Add a call, whose output has `n_rows` rows; the pass ends in an error if `mixed` rows get a gradient."""
        self._note_mixed(call.map, mixed)
        self._before()
        self._flow.calls.append(call)
        if not output.requires_grad:
            return
        self._awaited.add(output, self._take, call, n_rows, mixed)

    def add_noted(self, call: Call, node: Node | None) -> None:
        """Add a call of a map of one prompt, whose rows are the tokens; `node` gives its output, if it has a graph."""
        self._flow.calls.append(call)
        if node is not None:
            self._awaited.add_node(node, self._take_rows, call)

    def _take(self, gradient: torch.Tensor, call: Call, n_rows: int, mixed: bool) -> None:
        if mixed and not self._is_alone:
            raise ArchitectureError(
                f"{call.map.site} mixes the tokens of several prompts",
                where=self._architecture,
                expected="prompts that are recorded one at a time",
            )
        flat = gradient.reshape(-1, gradient.shape[-1])
        call.output_gradient = flat if flat.shape[0] == n_rows else self._packing.pack(gradient)
        self._tell(call)

    def _take_rows(self, gradient: torch.Tensor, call: Call) -> None:
        """Take the gradient of a map of one prompt, whose rows are the tokens."""
        call.output_gradient = gradient.reshape(-1, gradient.shape[-1])
        self._tell(call)

    def _note_mixed(self, linear_map: LinearMap, mixed: bool) -> None:
        if mixed and not self._is_alone:
            self._flow.mixed.add(linear_map.parameter)

    def _tell(self, call: Call) -> None:
        """Report a call as complete: when its gradient arrives, its block may not have run again yet."""
        if self._flow.on_gradient is not None and call.input is not None and call.output_gradient is not None:
            self._flow.on_gradient(call)
