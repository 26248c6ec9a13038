"""How large English problems are: the limits of a family of problems, and the sizes that one problem draws."""

import math
from dataclasses import dataclass
from random import Random

from internal_physics.ground.errors import UserError

LAYERS_AND_WIDTHS = (2, 3, 4)
PREFERRED = (0.2, 0.5, 0.8)  # shares of the largest op at which each of them is the most likely


@dataclass(frozen=True)
class ReasoningSizes:
    """The limits of a family of problems; the defaults are those of iGSM-med of Ye et al. (2024).

    Attributes:
        most_operations: the largest op of a problem; the published hard problems have 21.
        most_instances: the largest number of sentences in a problem; the published hard problems have 28.
        most_operands: the largest number of operands in a sentence, a number included; at least 2.
        modulus: of all arithmetic.
    """

    most_operations: int = 15
    most_instances: int = 20
    most_operands: int = 4
    modulus: int = 23

    def __post_init__(self) -> None:
        """Refuse sizes that no problem can have.

        Raises:
            UserError: for a limit below the smallest problem.
        """
        smallest = {"most_operations": 1, "most_instances": 2, "most_operands": 2, "modulus": 2}
        for name, least in smallest.items():
            if getattr(self, name) < least:
                raise UserError(
                    f"it is {getattr(self, name)}",
                    where=f"sizes of problems, {name}",
                    expected=f"at least {least}",
                    todo="give a larger number",
                )


MEDIUM = ReasoningSizes()
"""Sizes of iGSM-med."""
HARD = ReasoningSizes(most_operations=21, most_instances=28)
"""Sizes of iGSM-hard."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The sizes of one problem.

    Attributes:
        operations: op of the problem (s).
        abstract_operations: most operations of the first parameters, the abstract ones and what they need (n).
        first_operations: operations after the first instance parameters are added (m); n <= m <= s.
        layers: of the structure (d).
        narrowest, widest: items in a layer (w0, w1).
        edges: of the structure (e), the number of sentences.
    """

    operations: int
    abstract_operations: int
    first_operations: int
    layers: int
    narrowest: int
    widest: int
    edges: int


def draw_operations(sizes: ReasoningSizes, random: Random) -> int:
    """Op of a problem: the smaller of two uniform draws from 1..most, so P(op = k) = (2 (most - k) + 1) / most^2."""
    return min(random.randint(1, sizes.most_operations), random.randint(1, sizes.most_operations))


def draw_sizes(sizes: ReasoningSizes, operations: int, random: Random) -> Drawn:
    """The sizes of a problem with the given op: more layers, items and sentences for a larger op (style "light")."""
    abstract = max(random.randint(1, operations), random.randint(1, operations))
    first = random.randint(abstract, operations)
    share = (operations - 1) / (sizes.most_instances - 1)
    weights = [math.exp(-((share - preferred) ** 2)) for preferred in PREFERRED]
    most = sizes.most_instances
    fewest = most + 1
    while fewest > most:  # below 12 sentences not all of them have room for every item
        layers, *widths = random.choices(LAYERS_AND_WIDTHS, weights, k=3)
        narrowest, widest = sorted(widths)
        fewest = (layers - 1) * narrowest
    edges = min(random.randint(fewest, most), random.randint(fewest, most))
    return Drawn(operations, abstract, first, layers, narrowest, widest, min(edges, (layers - 1) * widest**2))
