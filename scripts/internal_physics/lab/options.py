"""Mappings of a config → instances of options' dataclasses, nested ones too."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints


def made(options: type, given: Mapping[str, Any]) -> Any:
    """An instance of `options` from a mapping; lists become tuples.

    Raises:
        TypeError: for a name that the dataclass does not have.
    """
    kinds = get_type_hints(options)
    known = {field.name for field in fields(options)}
    if unknown := set(given) - known:
        raise TypeError(f"{options.__name__} has no {', '.join(sorted(unknown))}")
    return options(**{name: _value(kinds[name], value) for name, value in given.items()})


def _value(kind: Any, value: Any) -> Any:
    if isinstance(value, Mapping) and is_dataclass(kind):
        return made(kind, value)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value
