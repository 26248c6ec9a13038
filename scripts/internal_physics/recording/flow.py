"""What one forward and backward pass leaves behind: uses of matrices, residuals and their gradients.

Index conventions: b prompt of the batch, t token of the padded batch, n real token (prompt by prompt, see `packing`),
d width; sites and layers as in `models.anatomy`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from internal_physics.models.anatomy import LinearMap
from internal_physics.recording.stacks import StackCall


@dataclass
class Call:
    """One use of a matrix: a product with it, or rows looked up in it.

    Attributes:
        map: which matrix, and where.
        input: [n, in], or ids [n] of a look-up; None until its block was computed again.
        output_gradient: [n, out], once the backward pass has reached it.
        first: (row, column) of the matrix, as it is stored, where the part that is used begins.
        version: torch's count of in-place changes of `input` when it was caught; a later count means it was changed.
    """

    map: LinearMap
    input: torch.Tensor | None
    output_gradient: torch.Tensor | None = None
    first: tuple[int, int] = (0, 0)
    version: int = 0

    def weight_side_gradient(self) -> torch.Tensor:
        """∂loss/∂(W x) as it acts on the weight, [n, out]; autograd gives a padding row no gradient."""
        gradient = _caught(self.output_gradient)
        if self.map.padding_row is None:
            return gradient
        return gradient * (self.caught_input != self.map.padding_row).unsqueeze(-1)

    @property
    def first_features(self) -> tuple[int, int]:
        """The first (output, input) feature of the matrix that the part has."""
        return self.first[::-1] if self.map.transposed else self.first

    @property
    def n_features(self) -> tuple[int, int]:
        """(out, in) of the whole matrix."""
        return self.map.shape[::-1] if self.map.transposed else self.map.shape

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
        stacks: uses of stacks of experts that run together, see `experts`.
        residual: layer -> [b, t, d].
        residual_gradient: layer -> [b, t, d].
        passed: layer -> the tensor that a block was given, and torch's count of its in-place changes at that time.
        mixed: matrices of whose products the rows cannot be told apart by prompt.
        dense: weight → its whole gradient, of those that are kept whole.
        dense_by_prompt: weight → [b, …], the whole gradient of each prompt, where it is known.
        on_gradient: if set, called with each call as soon as its output gradient is known.
        on_stack: the same of each use of a stack.
    """

    calls: list[Call] = field(default_factory=list)
    stacks: list[StackCall] = field(default_factory=list)
    residual: dict[int, torch.Tensor] = field(default_factory=dict)
    residual_gradient: dict[int, torch.Tensor] = field(default_factory=dict)
    passed: dict[int, tuple[torch.Tensor, int]] = field(default_factory=dict)
    mixed: set[str] = field(default_factory=set)
    dense: dict[str, torch.Tensor] = field(default_factory=dict)
    dense_by_prompt: dict[str, torch.Tensor] = field(default_factory=dict)
    on_gradient: Callable[[Call], None] | None = None
    on_stack: Callable[[StackCall], None] | None = None
