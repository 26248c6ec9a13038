"""How close two passes of a model must be, and the refusal of an architecture where they are not."""

import torch

from internal_physics.ground.errors import ArchitectureError
from internal_physics.models.anatomy import Anatomy

# Relative to the largest value compared; a wrong part of the anatomy is off by a factor, not by rounding. Some models
# compute their attention in float32 even where all else is float64.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 5e-2, torch.float16: 1e-2}


def relative_difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest expected magnitude; 0 for two zeros."""
    difference = (found.detach().double() - expected.detach().double().to(found.device)).abs().max()
    return float(difference / expected.detach().double().abs().max().clamp(min=torch.finfo(torch.float64).tiny))


def require_close(what: str, error: float, dtype: torch.dtype, anatomy: Anatomy) -> None:
    """Refuse a model in which something is off by more than rounding.

    Args:
        what: was compared.
        error: its `relative_difference`; NaN is refused, too.
        dtype: of the numbers.
        anatomy: names the architecture.

    Raises:
        ArchitectureError: naming it.
    """
    if not error <= TOLERANCE[dtype]:
        raise refusal(f"{what} is off by {error:.1e} (relative)", anatomy)


def refusal(what: str, anatomy: Anatomy) -> ArchitectureError:
    """The error of an architecture in which something does not hold."""
    return ArchitectureError(
        f"the self-check failed: {what}",
        where=anatomy.architecture,
        expected="an architecture whose parts are where its module tree says",
    )
