"""Which weights of a model have their gradients recorded, and how: found by the self-check. No heavy imports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Coverage:
    """How the weights of two or more dimensions of one model are recorded.

    Attributes:
        alone: whether each prompt must run alone for its weight gradients: some product mixes the tokens of several
            prompts (experts take the tokens routed to them), or a weight has no factors.
        dense: weights that are used in another way than as a matrix of a product (a convolution, the decay rates of a
            state): their gradients are kept whole.
        partial: weights of which not every use is seen, too large to be kept whole: none of their gradient is recorded.
        unreached: weights that the loss of the check's prompt does not reach, as far as could be seen.
        share: of the numbers in all weights of two or more dimensions that take part in the loss, how many have their
            gradients recorded, in [0, 1].
    """

    alone: bool = False
    dense: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Weights without a recorded gradient."""
        return (*self.partial, *self.unreached)


EVERYTHING = Coverage()  # as long as nothing else is known


def matrix_name(parameter: str, index: int | None) -> str:
    """The name of one matrix of a weight: `experts.down_proj[3]` in a stack of matrices, else the weight's own name."""
    return parameter if index is None else f"{parameter}[{index}]"


def weight_of(matrix: str) -> str:
    """The name of the weight that a matrix is of, the inverse of `matrix_name`."""
    return matrix.partition("[")[0]
