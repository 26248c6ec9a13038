"""Rotary frequencies of a GGUF file that are not powers of one base: transformers reads the base alone.

Llama 3.1 and later files have a divisor for every frequency in the tensor rope_freqs; others have a scaling in their
metadata. What cannot be set in a config is refused: the model would run, with wrong numbers.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from internal_physics.ground.errors import SourceError
from internal_physics.models.gguf_header import GgufHeader
from internal_physics.models.gguf_once import open_gguf

FREQUENCIES = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
_SCALED_WITHOUT_WINDOW = ("gemma3",)  # blocks with a window are not scaled, as in llama.cpp
# Llama 3.1 to 3.3; the factor alone differs between them, and is that of the lowest frequencies.
_LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
_ROUNDING = 1e-5  # relative, of divisors in float32


def set_rope(config: PreTrainedConfig, path: Path, header: GgufHeader) -> None:
    """Give a config the scaling of the rotary frequencies that the file has; most have none.

    Raises:
        SourceError: for a scaling that is neither linear nor that of Llama 3, or a model with several bases.
    """
    architecture = str(header.metadata.get("general.architecture"))
    divided = [tensor.name for tensor in header.tensors if tensor.name in FREQUENCIES]
    kind = _kind(header.metadata, architecture)
    if not (kind or divided):
        return
    base: Any = getattr(config, "rope_parameters", None)
    if architecture in _SCALED_WITHOUT_WINDOW and kind == "linear" and not divided:
        base["full_attention"] |= {"rope_type": "linear", "factor": _factor(header.metadata, architecture)}
        return
    has_one_base = isinstance(base, dict) and "rope_theta" in base
    scaling = _scaling(config, path, header.metadata, kind, divided) if has_one_base else None
    if scaling is None:
        raise SourceError(
            f"its rotary frequencies are scaled ({kind or divided[0]}) in a way that transformers does not read",
            where=str(path),
            expected="frequencies of one base, scaled in no way, linearly, or as in Llama 3",
            todo="use the model's safetensors checkpoint",
        )
    config.rope_parameters = {**base, **scaling}


def _kind(metadata: Mapping[str, Any], architecture: str) -> str:
    """The scaling that the metadata name; "" for none."""
    kind = str(metadata.get(f"{architecture}.rope.scaling.type", "linear"))
    return "" if kind == "none" or (kind == "linear" and _factor(metadata, architecture) == 1) else kind


def _factor(metadata: Mapping[str, Any], architecture: str) -> float:
    """Of a linear scaling; 1 for none."""
    section = f"{architecture}.rope.scal"
    return float(metadata.get(f"{section}ing.factor", metadata.get(f"{section}e_linear", 1.0)))


def _scaling(
    config: PreTrainedConfig, path: Path, metadata: Mapping[str, Any], kind: str, divided: list[str]
) -> dict[str, Any] | None:
    """What the config has to say; None where it cannot."""
    if divided == [FREQUENCIES[0]] and not kind:
        return _as_in_llama3(config, path)
    factor = _factor(metadata, str(metadata["general.architecture"]))
    return {"rope_type": "linear", "factor": factor} if kind == "linear" and not divided else None


def _as_in_llama3(config: PreTrainedConfig, path: Path) -> dict[str, Any] | None:
    """The scaling of Llama 3, if transformers makes the same divisors of it as the file has."""
    stored = next(t.data for t in open_gguf(path).tensors if t.name == FREQUENCIES[0]).astype(np.float64)
    scaling = {"rope_type": "llama3", "factor": float(stored.max()), **_LLAMA3}
    trial = copy.deepcopy(config)
    n = 2 * stored.size
    plain = trial.rope_parameters["rope_theta"] ** (-np.arange(0, n, 2) / n)
    trial.rope_parameters = trial.rope_parameters | scaling
    scaled = ROPE_INIT_FUNCTIONS["llama3"](trial, torch.device("cpu"))[0].double().numpy()
    agrees = scaled.shape == plain.shape and np.allclose(plain / scaled, stored, rtol=_ROUNDING, atol=0)
    return scaling if agrees else None
