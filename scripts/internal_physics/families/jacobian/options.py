"""Options of the local linear maps of blocks. No heavy imports."""

from dataclasses import dataclass
from typing import Annotated

from internal_physics.ground.options import Count, Range, Size, Text


@dataclass(frozen=True)
class MapOptions:
    """How the local linear map of a block is computed.

    Attributes:
        exact_width: largest width of the residual stream for which all rows of the map are computed. A row costs about
            a backward pass of one token through one block.
        probes: number of random vectors for wider models. They give the Frobenius norm with a standard error, and
            neither singular values nor the determinant.
    """

    exact_width: Count = 1024
    probes: Annotated[int, Range(minimum=2)] = 64


@dataclass(frozen=True)
class JacobianOptions(MapOptions):
    """The local linear map of every block, J = ∂residual[l+1] / ∂residual[l] at the read position.

    Attributes:
        prompts: the prompts that it is computed for, each as set/name, or as the name of a set for all of its prompts.
            Each takes another run of the models that run it, in every condition. Empty for none.
    """

    prompts: Annotated[tuple[Text, ...], Size(unique=True)] = ()
