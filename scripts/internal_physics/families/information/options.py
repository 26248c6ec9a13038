"""Options of how residuals are read. No heavy imports."""

from dataclasses import dataclass
from typing import Literal

from internal_physics.ground.options import Count, PositiveNumber

Target = Literal["next", "self"]


@dataclass(frozen=True)
class ReadingOptions:
    """How residuals are read (the logit lens).

    Attributes:
        temperature: logits are divided by it; above 1 flattens distributions, below 1 sharpens them.
        target: whose surprisal is computed.
            - next: of the token that follows; of the answer, for a masked model.
            - self: of the position's own token, as published.
        final_norm: read residuals through final norm and head, as the model does; false applies the head to the raw
            residual, as published.
        top_k: how many tokens are kept of each layer, and predicted.
    """

    temperature: PositiveNumber = 1.0
    target: Target = "next"
    final_norm: bool = True
    top_k: Count = 10
