"""Snapshot → readout, without the blocks: a skeleton on the meta device in which only what comes after them is loaded.

What is loaded: final norm, head, their transforms, and whatever else stands outside the blocks. What is not: the
blocks, and look-up tables (a tied table is the head's weight). It equals that of the recorded model: the same number
format, and for a quantised model also the same quantisation of the few linear maps outside the blocks that bitsandbytes
packs (BERT's transform; never the head or a norm).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from internal_physics.ground.errors import ModelError
from internal_physics.models.anatomy import Anatomy, find_anatomy
from internal_physics.models.heads import head_for
from internal_physics.models.loading import (
    check_request,
    load_snapshot,
    resolve_device,
)
from internal_physics.models.named_tensors import NamedTensor, named_tensors
from internal_physics.models.options import LoadOptions
from internal_physics.models.quantization import pack_linear_maps
from internal_physics.models.quantization_settings import quantization_config
from internal_physics.models.readout import Readout, with_stream
from internal_physics.models.refusals import reading


def open_readout(snapshot: str | Path, options: LoadOptions) -> Readout:
    """Load the readout of a snapshot as `load_snapshot` would load it, and nothing else.

    A checkpoint whose readout is stored quantised is loaded whole: only transformers can decode the codes.

    Raises:
        ModelError: if a tensor of the readout is not in the snapshot, or transformers cannot build the model.
        ArchitectureError: if its parts are not found, or do not run apart from the blocks.
    """
    device = resolve_device(options.device)
    device = "cuda" if device == "balanced" else device
    is_quantized = check_request(snapshot, options) is not None
    with reading("transformers cannot build it", snapshot, ModelError):
        module = _skeleton(snapshot, options)
    anatomy = find_anatomy(module)
    with reading("its weights cannot be read", snapshot, ModelError):
        wanted, stored = _wanted(module, anatomy), _stored_names(module, Path(snapshot))
        if is_quantized and any(stored[name].is_code for names in wanted for name in names if name in stored):
            whole = load_snapshot(snapshot, options)
            return Readout(whole.module, with_stream(whole.module, whole.anatomy))
        _drop_lookups(module, anatomy, device, getattr(torch, options.dtype))
        _fill(module, wanted, stored, device)
    pack_linear_maps(module, anatomy, None if is_quantized else quantization_config(options, device), device)
    module = module.eval().requires_grad_(False)
    return Readout(module, with_stream(module, anatomy))


def _skeleton(snapshot: str | Path, options: LoadOptions) -> PreTrainedModel:
    """The whole model without a single weight in memory; buffers are real."""
    config = AutoConfig.from_pretrained(str(snapshot), trust_remote_code=options.trust_remote_code)
    head = head_for(options.task, snapshot, trust_remote_code=options.trust_remote_code)
    with init_empty_weights(include_buffers=False):
        module = head.from_config(
            config,
            dtype=getattr(torch, options.dtype),
            attn_implementation="eager",
            trust_remote_code=options.trust_remote_code,
        )
    module.tie_weights()  # each weight became a meta tensor of its own
    return module


def _wanted(module: nn.Module, anatomy: Anatomy) -> list[list[str]]:
    """Names of the parameters outside the blocks, a list of aliases for each; look-up tables only where tied."""
    lookups = {name for name, m in module.named_modules() if isinstance(m, nn.Embedding)}
    aliases: dict[int, list[str]] = defaultdict(list)
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if not anatomy.is_in_blocks(name):
            aliases[id(parameter)].append(name)
    return [names for names in aliases.values() if not all(_lies_in(name, lookups) for name in names)]


def _lies_in(name: str, modules: set[str]) -> bool:
    """Whether a parameter is of one of the modules, or of a part of one, such as the norm inside a table (Inkling)."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in modules for n in range(1, len(parts)))


class _Blank(nn.Module):
    """Replaces an embedding table: rows of zeros, which the blocks that follow ignore.

    Its weight is a parameter, because some models ask their first parameter for its number format.
    """

    def __init__(self, width: int, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, width, device=device, dtype=dtype), requires_grad=False)

    def forward(self, ids: torch.Tensor | Sequence[int], *_args: object, **_kwargs: object) -> torch.Tensor:
        """Zeros for ids, or for the shape of ids, which some tables of positions are given."""
        shape = ids.shape if isinstance(ids, torch.Tensor) else ids
        return self.weight[0].expand(*shape, -1).clone()  # some models change the rows in place


def _drop_lookups(module: nn.Module, anatomy: Anatomy, device: str, dtype: torch.dtype) -> None:
    tables = [(name, m) for name, m in module.named_modules() if isinstance(m, nn.Embedding)]
    for name, table in tables:
        if not anatomy.is_in_blocks(name):
            module.set_submodule(name, _Blank(table.embedding_dim, device, dtype))


def _fill(module: nn.Module, wanted: list[list[str]], stored: Mapping[str, NamedTensor], device: str) -> None:
    """Put the wanted tensors in place, and move buffers to the device.

    A parameter with names of its own in the file has what is stored under each, tied or not; where one of them is not
    stored, it is tied to the one that is.
    """
    for names in wanted:
        found = next((stored[name] for name in names if name in stored), None)
        if found is None:
            raise ModelError(f"no tensor {' or '.join(names)}", expected="the whole readout of the model")
        placed: dict[NamedTensor, nn.Parameter] = {}
        for name in names:
            _place(module, name, stored.get(name, found), placed, device)
    for holder, name, buffer in _buffers(module):
        holder._buffers[name] = buffer.to(device)


def _place(
    module: nn.Module, name: str, tensor: NamedTensor, placed: dict[NamedTensor, nn.Parameter], device: str
) -> None:
    path, _, attribute = name.rpartition(".")
    holder = module.get_submodule(path)
    if isinstance(holder, _Blank):
        return
    if tensor not in placed:
        values, expected = tensor.read(), getattr(holder, attribute)
        if tuple(expected.shape) != tuple(values.shape):
            raise ModelError(f"{name} has shape {tuple(values.shape)}", expected=f"{tuple(expected.shape)}")
        placed[tensor] = nn.Parameter(values.to(device, expected.dtype), requires_grad=False)
    setattr(holder, attribute, placed[tensor])


def _stored_names(module: PreTrainedModel, snapshot: Path) -> dict[str, NamedTensor]:
    """Name in the model → what is stored of it.

    A weight that transformers combines from several stored ones keeps its stored name; it is not found, and refused.
    """
    return {t.key if t.converted else t.name: t for t in named_tensors(module, snapshot)}


def _buffers(module: nn.Module) -> Iterator[tuple[nn.Module, str, torch.Tensor]]:
    for holder in module.modules():
        for name, buffer in list(holder._buffers.items()):
            if buffer is not None and buffer.device.type != "meta":
                yield holder, name, buffer
