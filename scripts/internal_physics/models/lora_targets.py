"""Which modules of its base an adapter changes, as its settings say: what peft would load into, and nothing else.

No heavy imports.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from internal_physics.ground.errors import SourceError

BIASES = ("none", "all", "lora_only")
_EVERY_MAP = "all-linear"
_AGAIN = "fetch or copy the adapter again"


@dataclass(frozen=True)
class LoraTargets:
    """The part of an adapter's settings that names modules. Empty entries say nothing.

    Attributes:
        modules: target_modules: a regular expression, or ends of names; all-linear says nothing of names.
        excluded: exclude_modules, in the same forms.
        layers: layers_to_transform: numbers of blocks; it goes with ends of names only.
        lists: layers_pattern: names of the lists of blocks that these number; every list where empty.
        whole: modules_to_save, which are stored whole and have no factors.
        biases: which biases are stored: none, all, or lora_only (those of maps with factors).
    """

    modules: str | tuple[str, ...] = ()
    excluded: str | tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    lists: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    biases: str = "none"

    @property
    def are_named(self) -> bool:
        """Whether the settings name the modules with factors."""
        return bool(self.modules) and str(self.modules).lower() != _EVERY_MAP

    def include(self, module: str) -> bool:
        """Whether a module has factors, by its name; true where the settings name none."""
        if self.is_whole(module) or _names(self.excluded, module):
            return False
        if not self.are_named:
            return True
        return _names(self.modules, module) and (isinstance(self.modules, str) or self._has_layer_of(module))

    def is_whole(self, module: str) -> bool:
        """Whether a module is stored whole, or lies in one that is, so that it has no factors."""
        return any(re.match(rf"(^|.*\.){name}($|\..*)", module) for name in self.whole)

    def are_stored(self, module: str) -> bool:
        """Whether peft stores a module whole: the end of its name counts, `norm` for `input_layernorm` too."""
        parts = module.split(".")
        inside = [".".join(parts[: n + 1]) for n in range(len(parts))]
        return any(outer.endswith(name) for outer in inside for name in self.whole)

    def _has_layer_of(self, module: str) -> bool:
        """Whether the block of a module is one of those; the first number of a name counts, not that of an expert."""
        if not self.layers:
            return True
        lists = self.lists or (r"[^.]*",)
        starts = [r"^.*?\."] if not self.lists else [r"^(?:|.*?\.)"]
        found = next((m for s in starts for n in lists if (m := re.match(rf"{s}{n}\.(\d+)\.", module))), None)
        return found is not None and int(found[1]) in self.layers


def read_targets(raw: Mapping[str, Any], where: str) -> LoraTargets:
    """The targets in an adapter's settings.

    Raises:
        SourceError: naming an entry of another form, or two that do not go together.
    """
    biases = raw.get("bias") or "none"
    if biases not in BIASES:
        raise SourceError(f"its bias is {biases!r}", where=where, expected=f"one of {', '.join(BIASES)}", todo=_AGAIN)
    if isinstance(raw.get("target_modules"), str) and raw.get("layers_to_transform") is not None:
        raise SourceError(
            "it has layers_to_transform and one expression as target_modules",
            where=where,
            expected="a list of names as target_modules, or no layers_to_transform, as in peft",
            todo=_AGAIN,
        )
    return LoraTargets(
        _pattern_or_names(raw, "target_modules", where),
        _pattern_or_names(raw, "exclude_modules", where),
        _layers(raw, where),
        _list_of_names(raw, "layers_pattern", where, or_one=True),
        _list_of_names(raw, "modules_to_save", where),
        biases,
    )


def _names(pattern: str | tuple[str, ...], module: str) -> bool:
    if isinstance(pattern, str):
        return bool(pattern) and re.fullmatch(pattern, module) is not None
    return any(module == name or module.endswith(f".{name}") for name in pattern)


def _pattern_or_names(raw: Mapping[str, Any], entry: str, where: str) -> str | tuple[str, ...]:
    value = raw.get(entry)
    if isinstance(value, str):
        _require_expression(value, entry, where)
        return value
    return _list_of_names(raw, entry, where)


def _list_of_names(raw: Mapping[str, Any], entry: str, where: str, *, or_one: bool = False) -> tuple[str, ...]:
    value = raw.get(entry) or []
    names = [value] if or_one and isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _other_form(entry, value, "a list of names", where)
    if entry in ("layers_pattern", "modules_to_save"):
        for name in names:
            _require_expression(name, entry, where)
    return tuple(names)


def _layers(raw: Mapping[str, Any], where: str) -> tuple[int, ...]:
    value = raw.get("layers_to_transform")
    numbers = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise _other_form("layers_to_transform", value, "numbers of blocks", where)
    return tuple(numbers)


def _require_expression(pattern: str, entry: str, where: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise _other_form(entry, pattern, f"a regular expression ({error})", where) from error


def _other_form(entry: str, value: object, expected: str, where: str) -> SourceError:
    return SourceError(f"its {entry} is {value!r:.60}", where=where, expected=expected, todo=_AGAIN)
