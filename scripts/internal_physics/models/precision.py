"""In which number formats a loaded model really computes, read from its modules and not from what was asked for."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import torch
from torch import nn

from internal_physics.ground.errors import ModelError
from internal_physics.models.options import PRECISION, QUANTIZED_SHARE, LoadOptions
from internal_physics.models.stored_quantization import BITSANDBYTES, StoredQuantization

PLAIN = "none"
FLOAT8 = {getattr(torch, name) for name in dir(torch) if name.startswith("float8_")}
FOUR = 4  # bits of a weight that has a compute type of its own
HOW_INT8_MULTIPLIES = "int8"  # and columns with outliers in float16


@dataclass(frozen=True)
class Precision:
    """Number formats in which a model stores and multiplies its linear maps, and of everything else.

    Attributes:
        quantization: nf4, fp4, int8 or none; of a checkpoint that was de-quantised while it was loaded, its method and
            "de-quantised".
        method: the library or format behind it, such as bitsandbytes or fp8; none.
        bits: of a weight of the linear maps.
        compute_dtype: what they are multiplied in.
        dtype: number format of everything that is not quantised.
        quantized_share: of the parameters, tied ones counted once, that is quantised: in [0, 1].
    """

    quantization: str
    method: str
    bits: int
    compute_dtype: str
    dtype: str
    quantized_share: float = 0.0

    def labels(self) -> dict[str, Any]:
        """As a record keeps it."""
        values = (self.dtype, self.quantization, self.method, self.bits, self.compute_dtype)
        return dict(zip(PRECISION, values, strict=True)) | {QUANTIZED_SHARE: self.quantized_share}


def precision_of(module: nn.Module, stored: StoredQuantization | None = None) -> Precision:
    """Read the number formats of a loaded model.

    Args:
        module: the model.
        stored: how its checkpoint was quantised.

    Raises:
        ModelError: for modules that are quantised in a way whose gradient cannot be recorded, or in several ways.
    """
    dtype = _most_common_dtype(module)
    kinds_found = {_quantization_of(name, m) for name, m in module.named_modules() if is_quantized(m)}
    if len(kinds_found) > 1:
        kinds = " and ".join(sorted(f"{name} computed in {compute}" for name, _, compute in kinds_found))
        raise ModelError(
            f"its linear maps are {kinds}", where=type(module).__name__, expected="one kind of quantisation"
        )
    if kinds_found:
        name, bits, compute = kinds_found.pop()
        return Precision(name, BITSANDBYTES, bits, compute, dtype, _quantized_share(module))
    bits = torch.finfo(getattr(torch, dtype)).bits
    if stored is not None:
        return Precision(f"{stored.name}, de-quantised", stored.method, bits, dtype, dtype)
    return Precision(PLAIN, PLAIN, bits, dtype, dtype)


def left_as_they_are(module: nn.Module, is_in_blocks: Callable[[str], bool]) -> list[str]:
    """Names of the matrices, and stacks of them, in the blocks of a quantised model that bitsandbytes left alone.

    Args:
        module: the model.
        is_in_blocks: whether a parameter of this name is inside a block.
    """
    inside = ((n, p) for n, p in module.named_parameters() if is_in_blocks(n))
    return [name for name, parameter in inside if parameter.ndim >= 2 and not is_packed(parameter)]


def _quantized_share(module: nn.Module) -> float:
    sizes = [(_n_entries(parameter), is_packed(parameter)) for parameter in module.parameters()]
    return sum(n for n, packed in sizes if packed) / sum(n for n, _ in sizes)


def _n_entries(parameter: Any) -> int:
    """Numbers in a parameter; of a packed one, in the matrix that it stands for."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else prod(state.shape)


def require_what_was_asked(options: LoadOptions, ran: Precision, where: str) -> None:
    """Refuse a model that does not compute in the number formats that were asked for.

    Raises:
        ModelError: with both.
    """
    pairs = {"dtype": (options.dtype, ran.dtype), "quantization": (options.quantization, ran.quantization)}
    if ran.bits == FOUR:
        pairs["compute_dtype"] = (options.compute_dtype, ran.compute_dtype)
    for option, (asked, found) in pairs.items():
        if asked not in ("auto", found):
            raise ModelError(
                f"{option}: {asked} was asked for, and the loaded model has {found}",
                where=where,
                expected="a checkpoint that can be loaded as asked for",
                todo=f"leave `{option}` out, or use a checkpoint that is not quantised",
            )


def require_agreement(options: LoadOptions, stored: StoredQuantization | None, where: str) -> None:
    """Refuse options that contradict how the checkpoint is quantised: transformers would ignore them.

    Raises:
        ModelError: with both values.
    """
    if stored is None:
        return
    kind = stored.name if stored.method == BITSANDBYTES else f"{stored.method}"
    if options.quantization not in ("auto", stored.name):
        raise ModelError(
            f"quantization: {options.quantization} was asked for, and the checkpoint is already quantised: {kind}",
            where=where,
            expected="quantization: auto, that is, as the checkpoint is stored",
            todo="leave `quantization` out, or use a checkpoint that is not quantised",
        )
    if stored.compute_dtype and options.compute_dtype not in ("auto", stored.compute_dtype):
        raise ModelError(
            f"compute_dtype: {options.compute_dtype} was asked for, and the checkpoint is stored to be multiplied in "
            f"{stored.compute_dtype}",
            where=where,
            expected=f"compute_dtype: auto or {stored.compute_dtype}",
            todo="leave `compute_dtype` out, or use a checkpoint that is not quantised",
        )


def is_quantized(module: nn.Module) -> bool:
    """Whether a module's own weights are packed or narrower than any number format that torch computes in."""
    return any(is_packed(tensor) for tensor in _own_tensors(module))


def _quantization_of(name: str, module: nn.Module) -> tuple[str, int, str]:
    """(name, bits, compute type) of one module."""
    state = getattr(getattr(module, "weight", None), "quant_state", None)
    if type(module).__name__ == "Linear4bit" and state is not None:
        _require_shape(name, module, state.shape)
        return str(state.quant_type), FOUR, str(module.compute_dtype).removeprefix("torch.")
    if type(module).__name__ == "Linear8bitLt" and _has_row_scales(module):
        _require_shape(name, module, cast(torch.Tensor, module.weight).shape)
        return "int8", 8, HOW_INT8_MULTIPLIES
    raise ModelError(
        f"{name} ({type(module).__name__}) holds packed weights of a kind whose gradient cannot be recorded",
        expected="weights that are not quantised, or by bitsandbytes: int8, nf4 or fp4, with their scales",
        todo="use a checkpoint that is not quantised, and set `quantization` if it has to be small",
    )


def _require_shape(name: str, module: nn.Module, shape: torch.Size) -> None:
    """Weights that are quantised while they are loaded must have their module's shape; transformers does not check."""
    expected = (module.out_features, module.in_features)
    if tuple(shape) != expected:
        raise ModelError(
            f"{name}.weight has shape {tuple(shape)}",
            expected=f"{expected}, as the config says",
            todo="check that config.json belongs to these weights",
        )


def _has_row_scales(module: Any) -> bool:
    return getattr(module.weight, "SCB", None) is not None or module.state.SCB is not None


def _own_tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, and the buffers that can be weights: quantised linear maps keep theirs as either."""
    yield from module.parameters(recurse=False)
    for name, buffer in module.named_buffers(recurse=False):
        if "weight" in name:
            yield buffer


def is_packed(tensor: torch.Tensor) -> bool:
    """Whether it is bitsandbytes' own kind of tensor, a wrapper of packed values, or of integers or 8-bit floats."""
    kinds = ("quant_state", "__tensor_flatten__")
    return any(hasattr(tensor, k) for k in kinds) or not tensor.is_floating_point() or tensor.dtype in FLOAT8


def _most_common_dtype(module: nn.Module) -> str:
    """Of the values that are not quantised."""
    sizes: Counter[torch.dtype] = Counter()
    for parameter in module.parameters():
        if not is_packed(parameter):
            sizes[parameter.dtype] += parameter.numel()
    return str(sizes.most_common(1)[0][0]).removeprefix("torch.")
