"""Which weights of a model have their gradients recorded, and how: found by the self-check. No heavy imports."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NOT_COVERED = "weights_not_covered"
COVERAGE = ("weights_covered_share", NOT_COVERED)  # what a record says of it; not in records from before it


@dataclass(frozen=True)
class Coverage:
    """How the weights of two or more dimensions of one model are recorded.

    Attributes:
        alone: whether each prompt must run alone for its weight gradients: some product mixes the tokens of several
            prompts (experts that do not run together take the tokens routed to them), or a weight has no factors.
        dense: weights that are used in another way than as a matrix of a product (a convolution, the decay rates of a
            state): their gradients are kept whole.
        partial: weights of which not every use is seen, too large to be kept whole: none of their gradient is recorded.
        unreached: weights that the loss of the check's prompt does not reach, as far as could be seen.
        share: of the numbers in all weights of two or more dimensions that take part in the loss, how many have their
            gradients recorded, in [0, 1].
        numbers_per_token: in the factors of a token of the check's prompt; inputs that maps share count once.
        numbers_per_prompt: in the gradients that are kept whole.
        n_matrices: that the check's prompt reached: each has a norm or a sketch.
        every_function: whether all functions of torch must be watched for uses of weights. False once the self-check
            saw that those which are given a weight are all.
    """

    alone: bool = False
    dense: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    share: float = 1.0
    numbers_per_token: float = 0.0
    numbers_per_prompt: int = 0
    n_matrices: int = 0
    every_function: bool = True

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Weights without a recorded gradient."""
        return (*self.partial, *self.unreached)

    def labels(self) -> dict[str, Any]:
        """As a record keeps it: the share, and in words which weights have no recorded gradient ("" for none)."""
        return dict(zip(COVERAGE, (self.share, in_words(self.uncovered)), strict=True))


EVERYTHING = Coverage()  # as long as nothing else is known
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def in_words(names: Iterable[str]) -> str:
    """Names of weights, those of all blocks as one: `layers.*.mixer.weight (24), head.weight`."""
    numbers = Counter(_NUMBER.sub("*", name) for name in names)
    return ", ".join(name if n == 1 and "*" not in name else f"{name} ({n})" for name, n in numbers.items())


def matrix_name(parameter: str, index: int | None) -> str:
    """The name of one matrix of a weight: `experts.down_proj[3]` in a stack of matrices, else the weight's own name."""
    return parameter if index is None else f"{parameter}[{index}]"


def weight_of(matrix: str) -> str:
    """The name of the weight that a matrix is of, the inverse of `matrix_name`."""
    return matrix.partition("[")[0]
