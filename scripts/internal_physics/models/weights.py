"""Every matrix of a loaded model as the model uses it: plain, or de-quantised from 8 or 4 bits.

Nothing here runs the model, and nothing changes it. A weight is made dense when it is asked for, one at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from internal_physics.models.anatomy import Anatomy
from internal_physics.models.coverage import matrix_name
from internal_physics.models.kinds import in_experts, kind_of


@dataclass(frozen=True)
class Weight:
    """One matrix and the module that holds it; tied weights are one Weight, under their first module.

    A 2-D parameter is a matrix; of the parameter that holds the matrices of all experts, each expert's is one. Any
    other parameter of more dimensions (a convolution) is a matrix of its first dimension and all others.

    Attributes:
        parameter: canonical name, the same as in a Trace; `experts.down_proj[3]` of an expert.
        layer: -1 before the blocks, 0..L-1 inside block l, L after them.
        kind: what it does, see models.kinds.
        shape: of the parameter as it is stored un-quantised ([out, in]; [in, out] for GPT-2's Conv1D).
        module: the module that holds it.
        attribute: its name in the module.
        index: which matrix of a stack; None for a parameter that is no stack.
    """

    parameter: str
    layer: int
    kind: str
    shape: tuple[int, int]
    module: nn.Module
    attribute: str = "weight"
    index: int | None = None

    @property
    def device(self) -> torch.device:
        """Where its numbers are."""
        return cast(torch.Tensor, getattr(self.module, self.attribute)).device

    def dense(self) -> torch.Tensor:
        """The matrix the model multiplies with, of `shape`, floating point, detached. See `dense_weight`."""
        if self.attribute == "weight":
            whole = dense_weight(self.module)
        else:
            whole = cast(torch.Tensor, getattr(self.module, self.attribute)).detach()
        return (whole if self.index is None else whole[self.index]).reshape(self.shape)


def weights_of(module: nn.Module, anatomy: Anatomy) -> Iterator[Weight]:
    """Every matrix once, in the order of the model's parameters; an expert's are made when they are asked for."""
    maps = {used.parameter: used for used in reversed(anatomy.maps)}
    for name, parameter in module.named_parameters():
        if name in maps:
            used = maps[name]
            kind = kind_of(name, layer=used.layer, n_layers=anatomy.n_layers, lookup=used.lookup)
            yield Weight(name, used.layer, kind, used.shape, module.get_submodule(used.site))
        elif parameter.ndim >= 2 and parameter.is_floating_point():
            yield from _matrices(module, name, parameter, anatomy)


def _matrices(module: nn.Module, name: str, parameter: torch.Tensor, anatomy: Anatomy) -> Iterator[Weight]:
    """Of a parameter that no linear map or embedding has: the matrix of each expert, or the whole as one matrix."""
    path, _, attribute = name.rpartition(".")
    holder, layer = module.get_submodule(path), anatomy.layer_of(name, lookup=False)
    kind = kind_of(name, layer=layer, n_layers=anatomy.n_layers, lookup=False)
    if parameter.ndim == 3 and in_experts(name):
        n_experts, *shape = parameter.shape
        for e in range(n_experts):
            yield Weight(matrix_name(name, e), layer, kind, (shape[0], shape[1]), holder, attribute, e)
    else:
        yield Weight(name, layer, kind, (len(parameter), parameter[0].numel()), holder, attribute)


def dense_weight(module: nn.Module) -> torch.Tensor:
    """The weight of a Linear, Conv1D, Embedding, Linear4bit or Linear8bitLt as a dense matrix.

    LLM.int8 (Dettmers et al. 2022): row o is int8 · absmax_o / 127. NF4 and FP4 (Dettmers et al. 2023): a code book
    value times the absmax of its block, rounded to the module's compute type where that is narrower than float32.

    Raises:
        TypeError: for a quantised weight in any other layout.
    """
    weight = cast(torch.Tensor, module.weight)
    with torch.no_grad():
        if getattr(weight, "quant_state", None) is not None:
            return _from_4bit(module, weight)
        if weight.dtype == torch.int8:
            return _from_int8(module, weight)
        if not weight.is_floating_point():
            raise TypeError(f"{type(module).__name__} holds {weight.dtype} in a layout that is not known")
        return weight.detach()


def _from_int8(module: Any, weight: torch.Tensor) -> torch.Tensor:
    """Before the first pass the row scales SCB are on the parameter, after it on the module's state."""
    scales = getattr(weight, "SCB", None)
    scales = module.state.SCB if scales is None else scales
    return weight.detach().float() * (scales.detach().float() / 127.0)[:, None]


def _from_4bit(module: nn.Module, weight: Any) -> torch.Tensor:
    state = weight.quant_state
    if getattr(state, "packing_format_for_cpu", False):
        matrix = _from_packed_4bit(weight.detach(), state)
    else:
        from bitsandbytes.functional import dequantize_4bit  # noqa: PLC0415  (absent from unquantised installations)

        matrix = dequantize_4bit(weight.detach(), state)
    compute = getattr(module, "compute_dtype", None)
    return matrix.to(compute) if compute is not None else matrix


def _from_packed_4bit(packed: torch.Tensor, state: Any) -> torch.Tensor:
    """The layout that bitsandbytes 0.50 repacks to in gradient-free passes on CPUs with AVX512-BF16.

    Rows are stored in groups of 32. For each pair of neighbouring columns, 32 bytes hold rows 0-15 of the group in
    their low halves and rows 16-31 in their high ones. Scales are bfloat16, [in / block, out]. The library's own
    inverse does not put unquantised scales back in order, so codes and scales are read here.
    """
    n_out, n_in = state.shape
    halves = packed.reshape(-1, 32)
    codes = torch.cat([halves & 0xF, halves >> 4], dim=1)  # [·, 64]: 32 rows × 2 columns
    codes = codes.reshape(n_out // 32, n_in // 2, 32, 2).transpose(1, 2).reshape(n_out, n_in)
    scales = state.absmax.T.float().repeat_interleave(state.blocksize, dim=1)
    return state.code.to(packed.device).float()[codes.long()] * scales
