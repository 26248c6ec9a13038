"""What an experiment asks of the tangent kernel. No torch, no pandas.

An experiment with a module of kernels names it in its description; the module has

    study(trained) -> Study | None      None where the arm has nothing to compare
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scalar:
    """The number whose gradients are compared: the log-probability of the true next token after some tokens.

    Attributes:
        ids: [t] int64 tokens, `<eos>` first.
        next_id: the token that truly follows.
    """

    ids: np.ndarray
    next_id: int


@dataclass(frozen=True)
class Number:
    """One number that a kernel says.

    Attributes:
        quantity: one of those of table `lab_kernel`.
        of: what it is about: a level of a grammar, or all.
        value: NaN where it is undefined.
    """

    quantity: str
    of: str
    value: float


@dataclass(frozen=True)
class Study:
    """What a kernel is made of, and read for.

    Attributes:
        scalars: [n] the rows and columns of the kernel.
        numbers: the kernel [n, n] → what it says.
        exposures_per_step: texts of each person in a training step; NaN where data are fresh.
    """

    scalars: Sequence[Scalar]
    numbers: Callable[[NDArray[np.float64]], Iterable[Number]]
    exposures_per_step: float = float("nan")
