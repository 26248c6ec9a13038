"""The residual stream of one pass: kept where a block gets it, with its gradient, and changed where steering says so.

Index conventions: b prompt of the batch, t token of the padded batch, d width; layers as in `models.anatomy`.
"""

from collections.abc import Callable

import torch

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy
from internal_physics.recording.awaited import Awaited
from internal_physics.recording.flow import Flow

Edit = Callable[[torch.Tensor, int], torch.Tensor]


class Residuals:
    """Fills a Flow with residuals and their gradients.

    Args:
        anatomy: where the model keeps prompts, tokens and features.
        shape: (b, t) of the batch.
        flow: gets what is kept.
        edit: changes residual[l], as (residual, l) → residual, before block l sees it and before it is kept.
        passed_on: told of each residual that a block gets.
        awaited: gives their gradients.
    """

    def __init__(
        self,
        anatomy: Anatomy,
        shape: tuple[int, int],
        flow: Flow,
        edit: Edit | None,
        *,
        passed_on: Callable[[torch.Tensor], object],
        awaited: Awaited,
    ) -> None:
        self.anatomy, self.shape, self.flow = anatomy, shape, flow
        self.edit, self.passed_on, self._awaited = edit, passed_on, awaited
        self._block_shape = anatomy.stream.shape(*shape, anatomy.width)

    def keep(self, hidden: torch.Tensor, layer: int) -> torch.Tensor:
        """Change the residual where steering says so, and keep the result, which is what the next block gets.

        Raises:
            ArchitectureError: if its shape is not that of the first block's, or it carries no gradient.
        """
        self._require_stream(hidden, layer)
        stream, edit = self.anatomy.stream, self.edit
        if edit is not None:
            hidden = stream.change(hidden, self.shape[1], lambda residual: edit(residual, layer))
        passed = hidden.detach()
        self.flow.residual[layer], self.flow.passed[layer] = self._residual(passed), (passed, hidden._version)
        self._awaited.add(hidden, self._keep_gradient, layer)
        self.passed_on(hidden)
        return hidden

    def _residual(self, hidden: torch.Tensor) -> torch.Tensor:
        """The residual [b, t, d] in the tensor of a block."""
        unfolded = self.anatomy.stream.unfold(hidden)
        return unfolded[:, : self.shape[1]] if self.anatomy.stream.is_padded else unfolded

    def _keep_gradient(self, gradient: torch.Tensor, layer: int) -> None:
        self.flow.residual_gradient[layer] = self._residual(gradient)
        if self.anatomy.stream.is_padded and bool(self.anatomy.stream.unfold(gradient)[:, self.shape[1] :].any()):
            raise ArchitectureError(
                f"tokens that the model adds to a prompt take part in the loss, at layer {layer}",
                where=self.anatomy.architecture,
                expected="added tokens that are padding",
            )

    def _require_stream(self, hidden: torch.Tensor, layer: int) -> None:
        if not self.anatomy.stream.has(hidden.shape, self._block_shape):
            expected = "[prompts, tokens, width]" if self.anatomy.stream.is_plain else "that of the first block"
            raise ArchitectureError(
                f"the residual stream at layer {layer} has shape {tuple(hidden.shape)}",
                where=self.anatomy.architecture,
                expected=f"{expected} = {self._block_shape}",
            )
        if not hidden.requires_grad:
            raise ArchitectureError(
                f"the residual stream carries no gradient at layer {layer}",
                where=self.anatomy.architecture,
                expected="blocks with a backward pass",
            )
