"""The weights of a LoRA adapter, and what they make of a weight of the base model.

A linear map W [out, in] becomes W + s·B·A, with A [rank, in], B [out, rank] and the scale s (Hu et al. 2021). With DoRA
(Liu et al. 2024) every row of that is brought to the length m[out] that was trained. GPT-2's Conv1D stores W as
[in, out], and an embedding table is [tokens, width]: for both the product is transposed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file

from internal_physics.ground.errors import SourceError
from internal_physics.models.adapters import PICKLED, WEIGHTS
from internal_physics.models.lora_settings import LoraSettings
from internal_physics.models.pickled import read_pickled
from internal_physics.models.refusals import reading
from internal_physics.models.safetensors_header import read_header

_ROOT = "base_model.model."
_PART = re.compile(
    r"^(?P<module>.+)\.(?P<part>lora_[A-Za-z_]+?)(\.default)?(\.(?P<own>weight|bias))?$"
)  # a name of peft: module, part, and the name that a saved model may have for the adapter
_WHOLE = re.compile(r"^(?P<module>.+?)(\.(base_layer|modules_to_save))?(\.default)?\.(?P<own>[A-Za-z_]+)$")
_PARTS = {
    ("lora_A", "weight"): "a",
    ("lora_B", "weight"): "b",
    ("lora_B", "bias"): "bias",
    ("lora_embedding_A", None): "a",
    ("lora_embedding_B", None): "b",
    ("lora_magnitude_vector", None): "lengths",
    ("lora_magnitude_vector", "weight"): "lengths",
}


@dataclass
class Factors:
    """The trained parts of one module: A [rank, in], B [out, rank], with DoRA row lengths [out], with lora_bias [out].

    Attributes:
        a, b, lengths, bias: as above; None where there is none.
        of_table: whether the module is an embedding: in is the number of tokens, out the width.
    """

    a: torch.Tensor | None = None
    b: torch.Tensor | None = None
    lengths: torch.Tensor | None = None
    bias: torch.Tensor | None = None
    of_table: bool = False


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter as it is stored.

    Attributes:
        settings: what decides how it acts.
        factors: module of the base model → its trained parts.
        whole: parameter of the base model → the values that replace it (modules_to_save, biases, embeddings).
    """

    settings: LoraSettings
    factors: Mapping[str, Factors] = field(default_factory=dict)
    whole: Mapping[str, torch.Tensor] = field(default_factory=dict)


def read_adapter(folder: Path, settings: LoraSettings, *, allow_pickle: bool) -> Adapter:
    """Read the weights of the adapter in a folder.

    Raises:
        SourceError: no weights, pickled ones that are not allowed, damaged ones, and parts that are not known, or there
            twice.
    """
    factors: dict[str, Factors] = {}
    whole: dict[str, torch.Tensor] = {}
    for name, values in _tensors(folder, allow_pickle).items():
        key = name.removeprefix(_ROOT)
        if part := _PART.match(key):
            place = _PARTS.get((part["part"], part["own"]))
            if place is None:
                raise _unknown(name, folder)
            own = factors.setdefault(part["module"], Factors())
            if getattr(own, place) is not None:
                raise _doubled(name, folder)
            setattr(own, place, values)
            own.of_table |= part["part"].startswith("lora_embedding")
        elif (replaced := _WHOLE.match(key)) and "trainable_tokens" not in key and "lora_" not in key:
            parameter = f"{replaced['module']}.{replaced['own']}"
            if parameter in whole:
                raise _doubled(name, folder)
            whole[parameter] = values
        else:
            raise _unknown(name, folder)
    for module, parts in factors.items():
        _require_fitting(module, parts, folder)
    return Adapter(settings, factors, whole)


def merged(weight: torch.Tensor, factors: Factors, scale: float, *, transposed: bool) -> torch.Tensor:
    """The weight with the adapter in it, computed in float64 and returned in float32 (float64 for a float64 weight).

    Args:
        weight: [out, in], or [in, out] where transposed.
        factors: of the module.
        scale: of the product.
        transposed: whether the weight is stored transposed: Conv1D, and embeddings, whose rows are inputs.

    Raises:
        ValueError: if the shapes do not fit.
    """
    a, b = _wide(factors.a), _wide(factors.b)
    own = weight.double().T if transposed else weight.double()
    if own.shape != (b.shape[0], a.shape[1]):
        raise ValueError(f"factors of {b.shape[0]} x {a.shape[1]} numbers for a weight of {tuple(own.shape)}")
    total = own + scale * (b @ a)
    if factors.lengths is not None:
        total = total * (_wide(factors.lengths) / total.norm(dim=1))[:, None]
    total = total.T if transposed else total
    return total.to(torch.float64 if weight.dtype == torch.float64 else torch.float32).contiguous()


def _wide(values: torch.Tensor | None) -> torch.Tensor:
    assert values is not None
    return values.double()


def _tensors(folder: Path, allow_pickle: bool) -> dict[str, torch.Tensor]:
    safe, pickled = folder / WEIGHTS, folder / PICKLED
    if safe.is_file():
        read_header(safe)
        with reading("its weights cannot be read", safe):
            return load_file(safe)
    if pickled.is_file() and allow_pickle:
        with reading("its pickled weights are refused", pickled):
            return read_pickled(pickled)
    what = (
        f"its weights are pickled ({PICKLED}): loading them can run code" if pickled.is_file() else "it has no weights"
    )
    raise SourceError(
        what,
        where=str(folder),
        expected=f"an adapter with {WEIGHTS}",
        todo="save it again with peft" + (", or set `allow_pickle: true` for this model" if pickled.is_file() else ""),
    )


def _require_fitting(module: str, parts: Factors, folder: Path) -> None:
    a, b = parts.a, parts.b
    if a is None or b is None or a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
        raise SourceError(
            f"the factors of {module} are not two matrices of one rank",
            where=str(folder),
            expected="linear maps and embeddings, with both factors",
            todo="fetch or copy the adapter again; for convolutions, merge it with peft",
        )
    if parts.lengths is not None and (parts.of_table or parts.lengths.numel() != b.shape[0]):
        raise SourceError(
            f"the row lengths (DoRA) of {module} cannot be applied",
            where=str(folder),
            expected="DoRA of linear maps, one length for each output",
            todo="merge it with peft (merge_and_unload), save the result and use that folder",
        )


def _doubled(name: str, folder: Path) -> SourceError:
    return SourceError(
        f"its tensor {name} is stored under two names",
        where=str(folder),
        expected="each part of an adapter once",
        todo="fetch or copy the adapter again, or remove the tensors that do not belong to it",
    )


def _unknown(name: str, folder: Path) -> SourceError:
    return SourceError(
        f"its tensor {name} is of a kind that is not applied here",
        where=str(folder),
        expected="LoRA of linear maps and embeddings, DoRA, biases and whole modules",
        todo="merge it with peft (merge_and_unload), save the result and use that folder",
    )
