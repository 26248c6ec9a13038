"""Numbers that leave the range of their format on the self-check's own pass, as distinct from a wrong anatomy.

NaN is not equal to any number, so that every comparison of the self-check would blame the architecture.
"""

from collections.abc import Mapping

import torch
from torch import nn

from internal_physics.ground.errors import ModelError

# Only float16 has little range: bfloat16 has that of float32, and norms are computed in float32 even in float64 models.
_WIDER = {torch.float16: "bfloat16 or float32"}

_ADVICE = {True: "set another dtype for this model", False: "is the checkpoint whole, and of this architecture?"}


def require_finite(
    residuals: Mapping[int, torch.Tensor], logits: torch.Tensor, model: nn.Module, architecture: str
) -> None:
    """Refuse a pass with a number that is not finite, naming the first place where there is one.

    Args:
        residuals: l → residual[l], what enters block l; at L what leaves the last block.
        logits: of the same pass.
        model: its weights are examined only if the pass is not finite.
        architecture: its name, for the message.

    Raises:
        ModelError: a weight is not finite, or the activations overflow in the number format of the residual stream.
    """
    places = [(_place(layer), residuals[layer]) for layer in sorted(residuals)] + [("the readout", logits)]
    for place, tensor in places:
        if not torch.isfinite(tensor).all():
            dtype = next(iter(residuals.values()), logits).dtype
            refuse_unfinite_weights(model, architecture)
            raise ModelError(
                f"not finite in {place} in {_name(dtype)}{_use(dtype)}",
                where=architecture,
                expected="activations within the range of the number format",
                todo=f"nothing was recorded; {_ADVICE[dtype in _WIDER]}",
            )


def refuse_unfinite_weights(model: nn.Module, architecture: str) -> None:
    """Refuse a model that holds a weight that is not finite; weights packed into bytes are skipped.

    Raises:
        ModelError: naming the first such weight, how many of its numbers are not finite, and its format.
    """
    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point() or parameter.dtype.itemsize < 2 or parameter.is_meta:
            continue
        n_unfinite = int((~torch.isfinite(parameter)).sum())
        if n_unfinite:
            raise ModelError(
                f"the weight {name} is not finite in {_name(parameter.dtype)}: {n_unfinite} of {parameter.numel()}",
                where=architecture,
                expected="finite weights",
                todo=f"fetch or convert the checkpoint again{_or_use(parameter.dtype)}",
            )


def _place(layer: int) -> str:
    return "the embedding" if layer == 0 else f"block {layer - 1}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _use(dtype: torch.dtype) -> str:
    return f": use {_WIDER[dtype]}" if dtype in _WIDER else ""


def _or_use(dtype: torch.dtype) -> str:
    return f"; if it holds larger numbers than {_name(dtype)} can, use {_WIDER[dtype]}" if dtype in _WIDER else ""
