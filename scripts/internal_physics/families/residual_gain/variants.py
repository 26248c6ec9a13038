"""Over which token positions a norm of the residual stream runs."""

from typing import Literal

Variant = Literal["whole", "last_position", "excluding_first"]
VARIANTS: tuple[Variant, ...] = ("whole", "last_position", "excluding_first")
