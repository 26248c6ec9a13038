"""The loaded model against its snapshot: every weight comes from the files, and everything in the files is used.

transformers only warns where a tensor is left over, or where a weight that is not in the files is drawn at random.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import MODEL_FOR_PRETRAINING_MAPPING, MODEL_MAPPING, PreTrainedModel

from internal_physics.ground.errors import ModelError
from internal_physics.ground.words import plural
from internal_physics.models.named_tensors import NamedTensor, named_tensors
from internal_physics.models.precision import is_quantized
from internal_physics.models.stored_quantization import stored_quantization

LOGGER = logging.getLogger("internal_physics")
N_NAMED = 5


def require_whole(module: PreTrainedModel, snapshot: str | Path, report: Mapping[str, Any], task: str) -> None:
    """Refuse a model that is not what its files hold.

    Tensors may be missing or unused if they hold no weights (a mask, a count, a single number), if the model computes
    them itself (a buffer that is not saved), or if they belong to another head that transformers has for the same
    architecture (the next-sentence head beside a masked one). The log names tensors that the architecture itself
    declares as not needed.

    Args:
        module: as `from_pretrained` gave it.
        snapshot: its folder.
        report: transformers' loading info.
        task: causal or masked, for messages.

    Raises:
        ModelError: naming what is missing, of another shape, left over, or stored twice.
    """
    where, kind = str(snapshot), type(module).__name__
    _refuse_other_shapes(report["mismatched_keys"], where, kind)
    if report["missing_keys"]:
        raise ModelError(
            f"it lacks {_named(report['missing_keys'], 'weight')} of a {kind}, which would be drawn at random",
            where=where,
            expected=f"a whole checkpoint of a {task} language model",
            todo="check `task`, or use a checkpoint with its language-model head" + _if_tied(module, report),
        )
    stored = named_tensors(module, snapshot)
    _refuse_doubles(stored, where)
    if stored_quantization(snapshot) is None:
        _refuse_codes(module, stored, where)
    left_over = _left_over(module, stored, set(report["unexpected_keys"]))
    if left_over:
        raise ModelError(
            f"a {kind} does not use {_named(left_over, 'tensor')} of it: the model would not be the stored one",
            where=where,
            expected="files whose every tensor the model uses",
            todo="check that config.json belongs to these weights; merge adapters; remove tensors of other models",
        )
    _name_declared(module, stored, report["unexpected_keys"])


def _if_tied(module: PreTrainedModel, report: Mapping[str, Any]) -> str:
    """What to do, besides, where the head alone is missing: many files leave a tied one out."""
    head = module.get_output_embeddings()
    own = {f"{name}.weight" for name, part in module.named_modules() if head is not None and part is head}
    is_head = bool(own) and set(report["missing_keys"]) == own
    return "; if its head is the embedding, set tie_word_embeddings: true in config.json" if is_head else ""


def _left_over(module: PreTrainedModel, stored: list[NamedTensor], unexpected: set[str]) -> list[str]:
    """Names of the unused tensors that the model should use."""
    missed = [t for t in stored if t.name in unexpected and not _is_harmless(module, t)]
    unknown = unexpected - {t.name for t in stored}
    return [t.key for t in _without_other_heads(module, missed)] + sorted(unknown)


def _refuse_other_shapes(mismatched: Iterable[tuple], where: str, kind: str) -> None:
    mismatches = sorted((name, tuple(stored), tuple(expected)) for name, stored, expected in mismatched)
    if mismatches:
        shapes = [f"{name} {stored} instead of {expected}" for name, stored, expected in mismatches]
        raise ModelError(
            f"{_named(shapes, 'tensor')} of it: another shape than a {kind} of its config has",
            where=where,
            expected="weights that belong to the config",
            todo="check that config.json belongs to these weights",
        )


def _refuse_doubles(stored: list[NamedTensor], where: str) -> None:
    counts = Counter(t.name for t in stored if not t.converted)
    doubles = [t.key for t in stored if counts[t.name] > 1 and not t.converted]
    if doubles:
        raise ModelError(
            f"{_named(doubles, 'tensor')} of it: several for one weight",
            where=where,
            expected="each weight once",
            todo="remove the files or tensors that do not belong to the model",
        )


def _refuse_codes(module: PreTrainedModel, stored: list[NamedTensor], where: str) -> None:
    """Refuse codes of a quantisation that the config does not mention: they would be taken for values."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    plain = {name for name in parameters if not is_quantized(module.get_submodule(name.rpartition(".")[0]))}
    codes = [t.key for t in stored if t.name in plain and not t.converted and t.is_code]
    if codes:
        raise ModelError(
            f"{_named(codes, 'weight')} of it: stored as codes of a quantisation, which config.json does not mention",
            where=where,
            expected="floating-point weights, or a quantization_config",
            todo="take the config that belongs to the weights",
        )


def _is_harmless(module: PreTrainedModel, tensor: NamedTensor) -> bool:
    return _is_recomputed(module, tensor.name) or _holds_no_weights(tensor.read())


def _is_recomputed(module: nn.Module, name: str) -> bool:
    """Whether the model computes it itself: a buffer that is not saved, wherever it is now."""
    saved = module.state_dict().keys()
    recomputed = [buffer for buffer, _ in module.named_buffers() if buffer not in saved]
    return any(name == buffer or _last_two(name) == _last_two(buffer) for buffer in recomputed)


def _last_two(name: str) -> list[str]:
    return name.split(".")[-2:]


def _holds_no_weights(values: torch.Tensor) -> bool:
    """A single number, the positions 0, 1, 2 …, or a causal mask of zeros and ones."""
    if values.numel() <= 1:
        return True
    flat = values.flatten()
    if not values.is_floating_point() and torch.equal(flat, torch.arange(flat.numel(), dtype=values.dtype)):
        return True
    if values.ndim < 2 or values.shape[-1] != values.shape[-2]:
        return False
    return torch.equal(values, torch.ones_like(values).tril())


def _without_other_heads(module: PreTrainedModel, left_over: list[NamedTensor]) -> list[NamedTensor]:
    """Without tensors of another head, which stand outside the blocks, so that no logit depends on them."""
    if not left_over:
        return []
    known = _names_of_other_heads(module)
    return [t for t in left_over if t.name not in known or any(part.isdigit() for part in t.name.split("."))]


def _names_of_other_heads(module: PreTrainedModel) -> set[str]:
    """Parameters of the bare model (a pooler) and of the head that the architecture was first trained with."""
    names: set[str] = set()
    for mapping, prefix in ((MODEL_MAPPING, f"{module.base_model_prefix}."), (MODEL_FOR_PRETRAINING_MAPPING, "")):
        if type(module.config) in mapping:
            with torch.device("meta"):
                make: Any = mapping[type(module.config)]
                other = make(module.config)
            names |= {prefix + name for name, _ in other.named_parameters()}
    return names


def _name_declared(module: PreTrainedModel, stored: list[NamedTensor], unexpected: Iterable[str]) -> None:
    state, known = module.state_dict().keys(), set(unexpected)
    declared = [t.key for t in stored if t.name not in state and t.name not in known and not t.converted]
    if declared:
        LOGGER.info("a %s declares not to use %s", type(module).__name__, _named(declared, "tensor"))


def _named(names: Iterable[str], noun: str) -> str:
    """'7 tensors (a, b, c, d, e, …)'."""
    names = sorted(set(names))
    return f"{plural(len(names), noun)} ({', '.join(names[:N_NAMED])}{', …' if len(names) > N_NAMED else ''})"
