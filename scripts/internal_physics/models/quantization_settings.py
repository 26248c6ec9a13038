"""Settings of transformers for quantisation, and the methods that are not supported here."""

import inspect
import re
from pathlib import Path

import torch
from transformers import BitsAndBytesConfig
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING
from transformers.utils.quantization_config import QuantizationConfigMixin

from internal_physics.ground.errors import ModelError
from internal_physics.models.options import LoadOptions
from internal_physics.models.stored_quantization import BITSANDBYTES, StoredQuantization


def quantization_config(options: LoadOptions, device: str) -> BitsAndBytesConfig | None:
    """Settings of bitsandbytes for a checkpoint that is not quantised; None where it stays as it is."""
    if options.quantization in ("auto", "none"):
        return None
    if options.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    compute = options.compute_dtype
    if compute == "auto":
        compute = "float32" if device == "cpu" else "bfloat16"
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=options.quantization,
        bnb_4bit_compute_dtype=getattr(torch, compute),
    )


def dequantizing(stored: StoredQuantization) -> QuantizationConfigMixin | None:
    """Settings that de-quantise a checkpoint while it is loaded, where its method has them (FP8, MXFP4).

    On a GPU those would run in kernels that have no backward pass.
    """
    return AUTO_QUANTIZATION_CONFIG_MAPPING[stored.method](dequantize=True) if _can_be_dequantized(stored) else None


def _can_be_dequantized(stored: StoredQuantization) -> bool:
    kind = AUTO_QUANTIZATION_CONFIG_MAPPING.get(stored.method)
    return kind is not None and "dequantize" in inspect.signature(kind).parameters


def require_known_method(stored: StoredQuantization | None, snapshot: str | Path) -> None:
    """Refuse a method that transformers does not know: it would load the codes as if they were weights.

    Raises:
        ModelError: naming the method.
    """
    if stored is not None and stored.method not in (BITSANDBYTES, *AUTO_QUANTIZATION_CONFIG_MAPPING):
        raise other_method(stored, "which transformers does not know", snapshot)


def other_method(stored: StoredQuantization, what: str, snapshot: str | Path) -> ModelError:
    """The error for a checkpoint whose quantisation is not supported here; `what` says why.

    Where a method that can be de-quantised only lacks a package, which `what` names, it says to install that.
    """
    package = re.search(r"pip install ([\w.-]*\w)", what) if _can_be_dequantized(stored) else None
    install = f"pip install {package[1]}, with which it is de-quantised while it is loaded; or " if package else ""
    return ModelError(
        f"it is quantised by {stored.method}, {what}",
        where=str(snapshot),
        expected="a checkpoint that is not quantised, or by bitsandbytes, FP8 or MXFP4",
        todo=f"{install}use a checkpoint that is not quantised, and set `quantization` if it has to be small",
    )
