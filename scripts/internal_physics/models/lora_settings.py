"""Settings of a LoRA adapter, as peft writes them. What would change its meaning and is not known is refused.

No heavy imports.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, sqrt
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import SourceError
from internal_physics.models.adapters import SETTINGS
from internal_physics.models.checkpoint import read_mapping
from internal_physics.models.lora_targets import LoraTargets, read_targets

_TODO = "merge it with peft (merge_and_unload), save the result and use that folder"
# Settings that are applied, or compared with the weights, or of the training alone. A Conv1D is known without
# fan_in_fan_out, which peft corrects too.
_KNOWN = frozenset(
    (
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "bias",
        "eva_config",
        "exclude_modules",
        "fan_in_fan_out",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "lora_alpha",
        "lora_bias",
        "lora_dropout",
        "megatron_core",
        "modules_to_save",
        "peft_type",
        "peft_version",
        "qalora_group_size",
        "r",
        "rank_pattern",
        "revision",
        "runtime_config",
        "target_modules",
        "task_type",
        "use_dora",
        "use_rslora",
    )
)
# Initialisations that leave the base model as it was. Others (pissa, olora, corda, loftq, …) change it.
_LEAVE_THE_BASE = (True, False, None, "gaussian", "eva", "orthogonal")


@dataclass(frozen=True)
class LoraSettings:
    """What decides how the weights of a LoRA adapter act.

    Attributes:
        where: the file of the settings, for messages.
        base: the model that it belongs to, as its settings name it; "" where they do not.
        revision: of the base in a hub; "" where the settings name none.
        rank, alpha: of maps that no pattern names.
        ranks, alphas: regular expression of a module's name → its rank, its alpha.
        by_root: whether the product is multiplied by alpha / √rank (rsLoRA) instead of alpha / rank.
        by_length: whether rows have lengths of their own (DoRA).
        with_bias: whether B has a bias.
        targets: which modules it changes.
    """

    where: str
    base: str
    revision: str
    rank: int
    alpha: float
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]
    by_root: bool
    by_length: bool
    with_bias: bool
    targets: LoraTargets

    def scale(self, module: str, rank: int) -> float:
        """What the product of both factors of a module is multiplied by.

        Args:
            module: its name in the base model.
            rank: of the stored factors.

        Raises:
            SourceError: where the settings say another rank.
        """
        said = _of_pattern(self.ranks, module, self.rank)
        if said != rank:
            raise SourceError(
                f"the factors of {module} have rank {rank}, and its settings say {said}",
                where=self.where,
                expected="settings that belong to the weights",
                todo="fetch or copy the adapter again",
            )
        return _of_pattern(self.alphas, module, self.alpha) / (sqrt(rank) if self.by_root else rank)


def read_lora(folder: Path) -> LoraSettings:
    """Read the settings of the adapter in a folder.

    Raises:
        SourceError: for another kind of adapter, and for a setting that is not known here or cannot be merged.
    """
    path = folder / SETTINGS
    raw = read_mapping(path)
    _refuse_other_kinds(raw, str(path))
    rank, alpha = raw.get("r", 8), raw.get("lora_alpha", 8)
    ranks, alphas = raw.get("rank_pattern") or {}, raw.get("alpha_pattern") or {}
    numbers = [rank, alpha, *(ranks.values() if isinstance(ranks, Mapping) else [None])]
    numbers += alphas.values() if isinstance(alphas, Mapping) else [None]
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and 0 < n < inf for n in numbers):
        raise SourceError("a rank or an alpha is no number", where=str(path), expected="finite numbers above 0")
    _refuse_unusable({**ranks, **alphas}, str(path))
    return LoraSettings(
        str(path),
        str(raw.get("base_model_name_or_path") or ""),
        str(raw.get("revision") or ""),
        rank,
        alpha,
        ranks,
        alphas,
        _is_on(raw, "use_rslora", str(path)),
        _is_on(raw, "use_dora", str(path)),
        _is_on(raw, "lora_bias", str(path)),
        read_targets(raw, str(path)),
    )


def _is_on(raw: Mapping[str, Any], entry: str, where: str) -> bool:
    value = raw.get(entry)
    if value not in (True, False, None):
        raise SourceError(f"{entry} is {value!r}", where=where, expected="true or false")
    return bool(value)


def _is_off(value: object) -> bool:
    """Whether a setting that is not known says that it is not used; the number 0 may mean something."""
    return value is None or value is False or value in ("", [], {})


def _refuse_unusable(patterns: Iterable[str], where: str) -> None:
    """Refuse patterns that are no regular expressions."""
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise SourceError(
                f"its pattern {pattern!r} of modules is no regular expression: {error}",
                where=where,
                expected="names of modules, or regular expressions for them",
                todo="fetch or copy the adapter again",
            ) from error


def _refuse_other_kinds(raw: Mapping[str, Any], where: str) -> None:
    if raw.get("peft_type") != "LORA":
        raise SourceError(
            f"its peft_type is {raw.get('peft_type')!r}", where=where, expected="a LoRA adapter", todo=_TODO
        )
    start = raw.get("init_lora_weights", True)
    if start not in _LEAVE_THE_BASE:
        raise SourceError(
            f"init_lora_weights: {start} changed its base model before it was trained",
            where=where,
            expected="an adapter of an unchanged base model",
            todo=f"convert it with peft (path_initial_model_for_weight_conversion); or {_TODO}",
        )
    unknown = sorted(name for name, value in raw.items() if not _is_off(value) and name not in _KNOWN)
    if unknown:
        raise SourceError(
            f"its setting {unknown[0]}: {raw[unknown[0]]!r:.60} is none that is applied here",
            where=where,
            expected="LoRA with ranks, alphas, rsLoRA, DoRA, biases and modules_to_save",
            todo=_TODO,
        )


def _of_pattern(patterns: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """The value of the first pattern that fits the end of a module's name, as peft matches them."""
    return next((v for key, v in patterns.items() if re.match(rf"(.*\.)?({key})$", module)), otherwise)
