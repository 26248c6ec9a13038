"""How the weights of a checkpoint are quantised, as its config says. No heavy imports, and no weight is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import SourceError
from internal_physics.models.checkpoint import CONFIG, read_config

BITSANDBYTES = "bitsandbytes"


@dataclass(frozen=True)
class StoredQuantization:
    """How the weights of a checkpoint are quantised, as its config says.

    Attributes:
        method: of the config, such as bitsandbytes, gptq or fp8.
        name: as the option `quantization` spells it (nf4, fp4, int8); of any other, the method.
        bits: of a weight; None where the config does not say.
        compute_dtype: what 4-bit weights are multiplied in; "" where the config leaves that open.
    """

    method: str
    name: str
    bits: int | None
    compute_dtype: str


def stored_quantization(folder: str | Path) -> StoredQuantization | None:
    """How a checkpoint is quantised, whatever the method; None for one that is not, or has no config.

    Raises:
        SourceError: if the config cannot be read.
    """
    config = read_config(folder) if (Path(folder) / CONFIG).is_file() else {}
    text_config = config.get("text_config")
    given = [config.get("quantization_config"), config.get("compression_config")]
    given += [text_config.get("quantization_config")] if isinstance(text_config, Mapping) else []
    settings = next((entry for entry in given if entry is not None), None)
    if settings is None:
        return None
    if not isinstance(settings, Mapping):
        raise SourceError(
            f"quantization_config is {settings!r}",
            where=str(Path(folder) / CONFIG),
            expected="a mapping with a quant_method",
            todo="take the config that belongs to the weights",
        )
    return _bitsandbytes(settings) if _is_bitsandbytes(settings) else _other(settings, folder)


def _is_bitsandbytes(settings: Mapping[str, Any]) -> bool:
    asked = settings.get("load_in_4bit") or settings.get("load_in_8bit")
    return bool(asked) or settings.get("quant_method") == BITSANDBYTES


def _bitsandbytes(settings: Mapping[str, Any]) -> StoredQuantization | None:
    if settings.get("load_in_4bit"):
        kind = str(settings.get("bnb_4bit_quant_type", "fp4"))  # the default of bitsandbytes
        compute = str(settings.get("bnb_4bit_compute_dtype") or "float32").removeprefix("torch.")
        return StoredQuantization(BITSANDBYTES, kind, 4, compute)
    return StoredQuantization(BITSANDBYTES, "int8", 8, "") if settings.get("load_in_8bit") else None


def _other(settings: Mapping[str, Any], folder: str | Path) -> StoredQuantization:
    method = settings.get("quant_method")
    if not isinstance(method, str):
        raise SourceError(
            "its quantization_config names no quant_method",
            where=str(Path(folder) / CONFIG),
            expected="the method by which the weights are quantised",
            todo="take the config that belongs to the weights",
        )
    bits = settings.get("bits", settings.get("w_bit", 8 if method in ("fp8", "fbgemm_fp8") else None))
    return StoredQuantization(method, method, bits if isinstance(bits, int) else None, "")
