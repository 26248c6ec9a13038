"""A snapshot with a LoRA adapter merged into its weights: only the files that hold changed weights are written anew.

Weights are found by the names that the model's modules have, or by those that its files have: an adapter of one expert
finds the expert's own matrix in the files, though the model stacks them. What is merged is stored in float32.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from internal_physics.ground.errors import SourceError
from internal_physics.models.checkpoint import CONFIG, INDEX, read_config, read_mapping
from internal_physics.models.heads import HEADS, head_for
from internal_physics.models.lora import Adapter, Factors, merged
from internal_physics.models.lora_agreement import require_agreement
from internal_physics.models.named_tensors import NamedTensor, named_tensors, renaming
from internal_physics.models.plausible import require_plausible_depth
from internal_physics.models.refusals import reading
from internal_physics.models.stored_quantization import stored_quantization


def merge_adapter(snapshot: Path, adapter: Adapter, *, trust_remote_code: bool = False) -> None:
    """Merge an adapter into a folder of safetensors weights, in place; files that are links are replaced, not changed.

    Raises:
        SourceError: for a quantised base, a part of the adapter that fits no weight of the base, and weights that are
            not those that its settings describe.
        ModelError: for a base that transformers cannot build.
    """
    where = adapter.settings.where
    if stored := stored_quantization(snapshot):
        raise SourceError(
            f"its base model is stored quantised ({stored.name}), and an adapter is not merged into codes",
            where=where,
            expected="the base model as it was before it was quantised",
            todo="set `source` to that model and `adapter` to this folder; quantise with `quantization`, if at all",
        )
    require_plausible_depth(snapshot)
    with reading("transformers cannot build its base model", snapshot):
        base = _Base(_skeleton(snapshot, trust_remote_code), snapshot, where)
    require_agreement(adapter, base.module, base.find, base.parts)
    changed = _changed(base, adapter)
    is_untied = _untie(base, changed)
    _write(snapshot, base, changed)
    if is_untied:
        _replace_json(snapshot / CONFIG, _untied(read_config(snapshot)))


class _Base:
    """The base model: its modules without memory, and its stored tensors.

    Args:
        module: the skeleton.
        snapshot: its folder.
        where: the adapter, for messages.
    """

    def __init__(self, module: PreTrainedModel, snapshot: Path, where: str) -> None:
        self.module, self.where = module, where
        stored = named_tensors(module, snapshot)
        self.by_name = {t.name: t for t in stored if not t.converted}
        self.parts = {t.key: t for t in stored if t.converted}
        self.rename = renaming(module)
        names = defaultdict(list)
        for name, parameter in module.named_parameters(remove_duplicate=False):
            names[id(parameter)].append(name)
        self.groups = list(names.values())  # names of one parameter; several where it is tied

    def find(self, name: str) -> str:
        """The name that a parameter of the adapter has here: in the model, or that of a part in the files."""
        if name in self.parts:
            return name
        known = {n for group in self.groups for n in group}
        found = next((n for n in (name, self.rename(name)[0]) if n in known), None)
        if found is None or not any(n in self.by_name for n in self.tied_to(found)) or self.stored(found).is_code:
            raise SourceError(
                f"it changes {name}, and its base model stores no such weight",
                where=self.where,
                expected="an adapter of this base model, for linear maps and embeddings",
                todo="check `source` and `adapter`; or merge it with peft (merge_and_unload) and use the result",
            )
        return found

    def tied_to(self, name: str) -> list[str]:
        """All names of a parameter."""
        return next(group for group in self.groups if name in group)

    def stored(self, name: str) -> NamedTensor:
        """Where a parameter, or what it is tied to, is stored."""
        if name in self.parts:
            return self.parts[name]
        return next(self.by_name[n] for n in [name, *self.tied_to(name)] if n in self.by_name)

    def is_transposed(self, name: str, factors: Factors) -> bool:
        """Whether a weight is stored as [in, out].

        Raises:
            SourceError: for a module that is neither a linear map nor an embedding.
        """
        if name in self.parts:
            return False
        module = self.module.get_submodule(name.rpartition(".")[0])
        is_table = isinstance(module, nn.Embedding)
        if not isinstance(module, nn.Linear | Conv1D | nn.Embedding) or is_table != factors.of_table:
            raise SourceError(
                f"it changes {name}, the weight of a {type(module).__name__}",
                where=self.where,
                expected="factors of linear maps and embeddings",
                todo="merge it with peft (merge_and_unload), save the result and use that folder",
            )
        return is_table or isinstance(module, Conv1D)


def _skeleton(snapshot: Path, trust_remote_code: bool) -> PreTrainedModel:
    config = AutoConfig.from_pretrained(str(snapshot), trust_remote_code=trust_remote_code)
    is_masked = type(config) not in HEADS["causal"]._model_mapping and type(config) in HEADS["masked"]._model_mapping
    auto = HEADS["masked"] if is_masked else head_for("causal", snapshot, trust_remote_code=trust_remote_code)
    with init_empty_weights(include_buffers=False):
        module = auto.from_config(config, trust_remote_code=trust_remote_code)
    module.tie_weights()
    return module


def _changed(base: _Base, adapter: Adapter) -> dict[str, torch.Tensor]:
    """Name of every parameter that the adapter changes → its new values."""
    changed: dict[str, torch.Tensor] = {}
    for parameter, values in adapter.whole.items():
        name = base.find(parameter)
        _require_shape(base, name, values)
        changed[name] = values
    for module, factors in adapter.factors.items():
        name = base.find(f"{module}.weight")
        own = changed[name] if name in changed else base.stored(name).read()
        assert factors.a is not None
        scale = adapter.settings.scale(module, factors.a.shape[0])
        try:
            changed[name] = merged(own, factors, scale, transposed=base.is_transposed(name, factors))
        except ValueError as error:
            raise _other_shape(base, name, str(error)) from error
        if factors.bias is not None:
            bias = base.find(f"{module}.bias")
            before = changed[bias] if bias in changed else base.stored(bias).read()
            changed[bias] = (before.double() + scale * factors.bias.double()).float()
    return changed


def _require_shape(base: _Base, name: str, values: torch.Tensor) -> None:
    expected = tuple(base.stored(name).read().shape)
    if tuple(values.shape) != expected:
        raise _other_shape(base, name, f"{tuple(values.shape)} instead of {expected}")


def _other_shape(base: _Base, name: str, what: str) -> SourceError:
    return SourceError(
        f"what it holds for {name} has another shape: {what}",
        where=base.where,
        expected="an adapter of this base model, with as many tokens",
        todo="check `source` and `adapter`; for added tokens, merge it with peft (merge_and_unload) and use the result",
    )


def _untie(base: _Base, changed: dict[str, torch.Tensor]) -> bool:
    """Give every tied name values of its own, if the adapter changes one name of a parameter and not the others.

    An adapter of the embedding leaves the head as it was, though both were one.
    """
    tied = [group for group in base.groups if len(group) > 1]
    split = [group for group in tied if any(n in changed for n in group) and not _is_same(group, changed)]
    for group in tied if split else ():
        original = base.stored(group[0])
        for name in group:
            if name not in changed and (group in split or name not in base.by_name):
                changed[name] = original.read()
    return bool(split)


def _is_same(group: list[str], changed: Mapping[str, torch.Tensor]) -> bool:
    first = changed.get(group[0])
    return first is not None and all(n in changed and torch.equal(changed[n], first) for n in group)


def _write(snapshot: Path, base: _Base, changed: Mapping[str, torch.Tensor]) -> None:
    """Write every file that holds a changed weight anew; a weight with a new name goes beside what it was tied to."""
    by_file: dict[Path, dict[str, torch.Tensor]] = defaultdict(dict)
    for name, values in changed.items():
        own = base.by_name.get(name) or base.parts.get(name)
        by_file[base.stored(name).file][own.key if own else name] = values
    for file, tensors in by_file.items():
        whole = load_file(file) | tensors
        temporary = file.with_suffix(".tmp")
        save_file({n: t.clone().contiguous() for n, t in whole.items()}, temporary, metadata={"format": "pt"})
        os.replace(temporary, file)
    index = snapshot / INDEX
    if index.is_file():
        listed = read_mapping(index)
        places = {key: file.relative_to(snapshot).as_posix() for file, tensors in by_file.items() for key in tensors}
        _replace_json(index, listed | {"weight_map": listed["weight_map"] | places})


def _untied(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = {key: _untied(value) for key, value in config.items() if key == "text_config" and isinstance(value, dict)}
    return {**config, **inner, "tie_word_embeddings": False}


def _replace_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file anew; what it was a link to stays as it is."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(temporary, path)
