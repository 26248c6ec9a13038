"""The tensors of a snapshot under the names that they have in a model, renamed as transformers renames them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from internal_physics.models.checkpoint import weight_files
from internal_physics.models.safetensors_header import FLOATS, read_header


@dataclass(frozen=True)
class NamedTensor:
    """One tensor of a safetensors file.

    Attributes:
        name: of the parameter that it becomes, or that it is a part of.
        file, key: where it is stored.
        converted: whether transformers makes its parameter out of it and others, or only a part of it.
        dtype: as safetensors writes it, such as F32, BF16 or U8.
    """

    name: str
    file: Path
    key: str
    converted: bool
    dtype: str

    @property
    def is_code(self) -> bool:
        """Whether it holds codes of a quantisation or counts, instead of values that torch computes with."""
        return self.dtype not in FLOATS

    def read(self) -> torch.Tensor:
        """Its values, on the CPU."""
        with safe_open(self.file, "pt") as tensors:
            return tensors.get_tensor(self.key)


def named_tensors(module: PreTrainedModel, snapshot: str | Path) -> list[NamedTensor]:
    """Every tensor of the files that transformers loads; no values are read.

    Args:
        module: the model, loaded or a skeleton on the meta device.
        snapshot: its folder.

    Raises:
        SourceError: for a file that is not a safetensors file, or is truncated.
    """
    rename = renaming(module)
    return [
        NamedTensor(name, file, stored.name, is_converted, stored.dtype)
        for file in weight_files(snapshot)
        for stored in read_header(file)
        for name, is_converted in [rename(stored.name)]
    ]


def renaming(module: PreTrainedModel) -> Callable[[str], tuple[str, bool]]:
    """Stored name → name in the model, and whether the parameter is made of several stored tensors."""
    transforms = get_model_conversion_mapping(module, hf_quantizer=getattr(module, "hf_quantizer", None))
    renamings = [t for t in transforms if isinstance(t, WeightRenaming)]
    converters = [t for t in transforms if isinstance(t, WeightConverter)]
    state = module.state_dict()

    def rename(key: str) -> tuple[str, bool]:
        name, pattern = rename_source_key(key, renamings, converters, module.base_model_prefix, state)
        return (key, False) if name not in state and key in state else (name, pattern is not None)

    return rename
