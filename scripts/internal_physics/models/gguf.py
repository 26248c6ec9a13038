"""GGUF → an ordinary float32 safetensors snapshot."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, TENSOR_NAMES, GGMLQuantizationType
from gguf.quants import dequantize
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.modeling_gguf_pytorch_utils import (
    GGUF_SUPPORTED_ARCHITECTURES,
    TENSOR_PROCESSORS,
    TensorProcessor,
    get_gguf_hf_weights_map,
)

from internal_physics.ground.errors import SourceError
from internal_physics.models.gguf_config import set_from_header
from internal_physics.models.gguf_header import GgufHeader, read_gguf_header
from internal_physics.models.gguf_once import open_gguf, read_once
from internal_physics.models.gguf_rope import FREQUENCIES, set_rope
from internal_physics.models.plausible import refuse_deep, refuse_large
from internal_physics.models.refusals import reading

_NOT_ARCHITECTURES = ("general", "tokenizer")  # sections of the metadata that transformers lists beside them
# Architectures that transformers lists, and what it does not read of them.
_READ_IN_PART = {
    "deci": "the blocks, each of which has a form of its own",
    "gemma4": "the widths and windows of blocks, and the inputs of each block",
    "gpt-oss": "the experts",
    "gpt_oss": "the experts",
}
_ENCODER_DECODERS = ("t5", "t5encoder", "umt5")


def convert(path: Path, destination: Path) -> str:
    """De-quantise a GGUF model to float32 and save model and tokenizer into `destination`.

    A model loaded from GGUF refuses `save_pretrained`, so its weights move into a fresh model of the same
    config without the quantisation entry.

    Returns:
        The types that its tensors have in the file, that of most numbers first, such as "Q4_1, F32".

    Raises:
        SourceError: naming the file, where it is damaged or of an architecture that transformers does not read.
    """
    header = read_gguf_header(path)
    _refuse_part(path)
    _refuse_architecture(header, path)
    _refuse_types(header, path)
    refuse_deep(header.metadata, len(header.tensors), str(path), SourceError)
    with reading("this GGUF file cannot be read", path), _known_architecture(path), read_once():
        config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
        set_from_header(config, path, header)
        refuse_large(config, AutoModelForCausalLM, header.n_numbers, str(path), SourceError)
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        loaded = _load(path, config)
        config = loaded.config
        set_rope(config, path, header)
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        with torch.device("meta"):  # no first weights are drawn: all of them are given
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.load_state_dict(loaded.state_dict(), assign=True)
        model.tie_weights()
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    return header.stored_as


def _load(path: Path, config: PreTrainedConfig) -> PreTrainedModel:
    """The model of a file, every weight of which is in the file, and every tensor of the file in the model."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        path.parent,
        gguf_file=path.name,
        config=config,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )  # which are reported, and refused by name
    model, report = loaded
    _refuse_other_shapes(report["mismatched_keys"], path)
    lacking = sorted(set(report["missing_keys"]) & {name for name, _ in model.named_parameters()})
    unknown = [tensor.name for tensor in open_gguf(path).tensors if not _is_known(tensor.name)]
    if lacking or unknown:
        raise SourceError(
            f"it lacks {lacking[0]}" if lacking else f"its tensor {unknown[0]!r} is unknown to GGUF",
            where=str(path),
            expected=f"a whole {type(model).__name__}",
            todo="fetch or copy the file again",
        )
    _refuse_left_out(model, path)
    return model


def _refuse_left_out(model: PreTrainedModel, path: Path) -> None:
    """Refuse tensors that transformers leaves out without a word, such as biases that a Llama does not have."""
    reader = open_gguf(path)
    architecture = reader.fields["general.architecture"].contents()
    processor = TENSOR_PROCESSORS.get(architecture, TensorProcessor)(config=model.config.to_dict())
    used = set(get_gguf_hf_weights_map(model, processor))
    left_out = [t.name for t in reader.tensors if t.name not in used and not _is_read_otherwise(t.name)]
    if left_out:
        raise SourceError(
            f"a {type(model).__name__} of transformers does not use its tensor {left_out[0]!r}",
            where=str(path),
            expected="a file whose every tensor the model uses",
            todo="use the model's safetensors checkpoint",
        )


def _is_read_otherwise(name: str) -> bool:
    """Stacked experts, which go into one weight, the frequencies, and old tables of angles."""
    return name in FREQUENCIES or bool(re.search(r"ffn_\w+_exps\.(weight|bias)$|\.attn_rot_embd(\.weight)?$", name))


def _is_known(name: str) -> bool:
    """Whether GGUF has a tensor of this name in any architecture; transformers leaves out those it does not know."""
    base = re.sub(r"^(\w+\.)?blk\.\d+\.", r"\1blk.{bid}.", name.removesuffix(".weight").removesuffix(".bias"))
    return base in set(TENSOR_NAMES.values()) or name in FREQUENCIES


def _refuse_architecture(header: GgufHeader, path: Path) -> None:
    architecture = str(header.metadata.get("general.architecture"))
    if architecture in _ENCODER_DECODERS:
        raise SourceError(
            f"its architecture is {architecture!r}, which is no causal language model",
            where=str(path),
            expected="a model that continues its prompt",
            todo="choose another model",
        )
    if architecture in _READ_IN_PART:
        raise SourceError(
            f"its architecture is {architecture!r}, of which transformers does not read {_READ_IN_PART[architecture]}",
            where=str(path),
            expected="an architecture that transformers reads in full",
            todo="use the model's safetensors checkpoint",
        )


def _refuse_other_shapes(mismatched: Iterable[tuple], path: Path) -> None:
    for name, stored, expected in sorted(mismatched):
        raise SourceError(
            f"its {name} has the shape {tuple(stored)}, and by its header {tuple(expected)}",
            where=str(path),
            expected="tensors that belong to the header",
            todo="use the model's safetensors checkpoint; fetch or copy the file again, if it is damaged",
        )


def _refuse_types(header: GgufHeader, path: Path) -> None:
    """Refuse number formats that the library gguf cannot read; it reads all that llama.cpp stores weights in."""
    for name in sorted({tensor.kind for tensor in header.tensors}):
        kind = GGMLQuantizationType[name]
        try:
            dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
        except NotImplementedError as error:
            raise SourceError(
                f"it has tensors of the type {name}, which cannot be read as weights",
                where=str(path),
                expected="floats of 16 or 32 bits, or a type that llama.cpp quantises to",
                todo="quantise the model again to another type, or use its safetensors checkpoint",
            ) from error


def _refuse_part(path: Path) -> None:
    part = re.search(r"-(\d{5})-of-(\d{5})\.gguf$", path.name, re.IGNORECASE)
    if part and int(part[2]) > 1:
        raise SourceError(
            f"it is part {int(part[1])} of {int(part[2])} of a model",
            where=str(path),
            expected="a model in one file",
            todo="merge the parts with llama.cpp's gguf-split --merge",
        )


@contextmanager
def _known_architecture(path: Path) -> Iterator[None]:
    """Explain transformers' error for an architecture that it does not know."""
    try:
        yield
    except ValueError as error:
        unknown = re.search(r"architecture (\S+) is not supported", str(error))
        if not unknown:
            raise
        known = sorted(set(GGUF_SUPPORTED_ARCHITECTURES) - set(_NOT_ARCHITECTURES))
        raise SourceError(
            f"its architecture is {unknown[1]!r}, which transformers does not read from GGUF",
            where=str(path),
            expected=f"one of {', '.join(known)}",
            todo="use the model's safetensors checkpoint",
        ) from error
