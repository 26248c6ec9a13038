"""Snapshot → readout, without the blocks: a skeleton on the meta device in which only what comes after them is loaded.

What is loaded: final norm, head, their transforms, and whatever else stands outside the blocks. What is not: the
blocks, and look-up tables (a tied table is the head's weight). It is what the recorded model has there: the same number
format, and for a quantised model also the same quantisation of the few linear maps outside the blocks that bitsandbytes
packs (BERT's transform; never the head or a norm).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from accelerate import init_empty_weights
from safetensors import safe_open
from torch import nn
from transformers import AutoConfig
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from internal_physics.ground.errors import ModelError
from internal_physics.models.anatomy import find_anatomy
from internal_physics.models.checkpoint import weight_files
from internal_physics.models.loading import HEADS, LoadOptions, quantization_config, resolve_device
from internal_physics.models.quantization import pack_linear_maps
from internal_physics.models.readout import Readout
from internal_physics.models.refusals import reading


def open_readout(snapshot: str | Path, options: LoadOptions) -> Readout:
    """Load the readout of a snapshot as `load_snapshot` would load it, and nothing else.

    Raises:
        ModelError: if a tensor of the readout is not in the snapshot, or transformers cannot build the model.
        ArchitectureError: if its parts are not found, or do not run apart from the blocks.
    """
    device = resolve_device(options.device)
    device = "cuda" if device == "balanced" else device
    with reading("transformers cannot build it", snapshot, ModelError):
        module = _skeleton(snapshot, options)
    anatomy = find_anatomy(module)
    with reading("its weights cannot be read", snapshot, ModelError):
        wanted, stored = _wanted(module, anatomy.blocks_path), _stored_names(module, Path(snapshot))
        _drop_lookups(module, anatomy.blocks_path, device, getattr(torch, options.dtype))
        _fill(module, wanted, stored, device)
    pack_linear_maps(module, anatomy, quantization_config(options, device), device)
    return Readout(module.eval().requires_grad_(False), anatomy)


def _skeleton(snapshot: str | Path, options: LoadOptions) -> nn.Module:
    """The whole model without a single weight in memory; buffers are real."""
    config = AutoConfig.from_pretrained(str(snapshot), trust_remote_code=options.trust_remote_code)
    with init_empty_weights(include_buffers=False):
        module = HEADS[options.task].from_config(
            config,
            dtype=getattr(torch, options.dtype),
            attn_implementation="eager",
            trust_remote_code=options.trust_remote_code,
        )
    module.tie_weights()  # each weight became a meta tensor of its own
    return module


def _wanted(module: nn.Module, blocks_path: str) -> list[list[str]]:
    """Names of the parameters outside the blocks, a list of aliases for each; look-up tables only where tied."""
    lookups = {name for name, m in module.named_modules() if isinstance(m, nn.Embedding)}
    aliases: dict[int, list[str]] = defaultdict(list)
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if not name.startswith(f"{blocks_path}."):
            aliases[id(parameter)].append(name)
    return [names for names in aliases.values() if any(name.rpartition(".")[0] not in lookups for name in names)]


class _Blank(nn.Module):
    """Stands in for an embedding table: rows of zeros, which the single block that follows ignores."""

    def __init__(self, width: int, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(1, width, device=device, dtype=dtype), persistent=False)

    def forward(self, ids: torch.Tensor, *_args: object, **_kwargs: object) -> torch.Tensor:
        return self.weight[0].expand(*ids.shape, -1)


def _drop_lookups(module: nn.Module, blocks_path: str, device: str, dtype: torch.dtype) -> None:
    tables = [(name, m) for name, m in module.named_modules() if isinstance(m, nn.Embedding)]
    for name, table in tables:
        if not name.startswith(f"{blocks_path}."):
            module.set_submodule(name, _Blank(table.embedding_dim, device, dtype))


def _fill(module: nn.Module, wanted: list[list[str]], stored: Mapping[str, tuple[Path, str]], device: str) -> None:
    """Put the wanted tensors in place, under every name that is still there, and move buffers to the device."""
    with ExitStack() as stack:
        opened = {file: stack.enter_context(safe_open(file, "pt")) for file, _ in set(stored.values())}
        for names in wanted:
            found = next((stored[name] for name in names if name in stored), None)
            if found is None:
                raise ModelError(f"no tensor {' or '.join(names)}", expected="the whole readout of the model")
            _place(module, names, opened[found[0]].get_tensor(found[1]), device)
    for holder, name, buffer in _buffers(module):
        holder._buffers[name] = buffer.to(device)


def _place(module: nn.Module, names: list[str], tensor: torch.Tensor, device: str) -> None:
    parameter = None
    for name in names:
        path, _, attribute = name.rpartition(".")
        holder = module.get_submodule(path)
        if isinstance(holder, _Blank):
            continue
        expected = getattr(holder, attribute)
        if tuple(expected.shape) != tuple(tensor.shape):
            raise ModelError(f"{name} has shape {tuple(tensor.shape)}", expected=f"{tuple(expected.shape)}")
        if parameter is None:
            parameter = nn.Parameter(tensor.to(device, expected.dtype), requires_grad=False)
        setattr(holder, attribute, parameter)


def _stored_names(module: nn.Module, snapshot: Path) -> Mapping[str, tuple[Path, str]]:
    """Name in the model → (file, name in the file); renamed as transformers renames them when it loads a model.

    A weight that transformers makes out of several stored ones keeps its stored name, and so is not found: refused.
    """
    transforms = get_model_conversion_mapping(module)
    renamings = [t for t in transforms if isinstance(t, WeightRenaming)]
    converters = [t for t in transforms if isinstance(t, WeightConverter)]
    state = module.state_dict()
    stored = {}
    for file in weight_files(snapshot):
        with safe_open(file, "pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118  (safe_open is no mapping)
                name, converted = rename_source_key(key, renamings, converters, module.base_model_prefix, state)
                stored[key if converted else name] = (file, key)
    return stored


def _buffers(module: nn.Module) -> Iterator[tuple[nn.Module, str, torch.Tensor]]:
    for holder in module.modules():
        for name, buffer in list(holder._buffers.items()):
            if buffer is not None and buffer.device.type != "meta":
                yield holder, name, buffer
