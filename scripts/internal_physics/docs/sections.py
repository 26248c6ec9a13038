"""Sections of the config, read from their dataclasses: type and default from a field, its meaning from the docstring.

A docstring is where a reader of the code looks for a meaning, and editing it makes no result stale (ground.closure).
Under `Attributes:` stands `name: meaning`, and below it, where they need one, `- value: meaning` for single values.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

_FIELD = re.compile(r"    (\w+): (.+)")
_VALUE = re.compile(r"        - (.+?): (.+)")
REQUIRED = object()  # the default of an option that must be given
NOT_GIVEN = None  # the default of an option that may be left out


@dataclass(frozen=True)
class Meaning:
    """The meaning of an option, and of single values."""

    text: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: its key.
        kind: its type, with bounds as in ground.options.
        default: REQUIRED, NOT_GIVEN or a value.
        meaning: in plain English.
    """

    name: str
    kind: Any
    default: Any
    meaning: Meaning


@dataclass(frozen=True)
class Section:
    """A mapping of the config.

    Attributes:
        meaning: what the section is for.
        options: in the order of the documentation, which is that of the resolved config.
        exactly_one: names of the options of which one has to be given, and no more.
    """

    meaning: str
    options: tuple[Option, ...]
    exactly_one: tuple[str, ...] = ()


def read_section(cls: type) -> Section:
    """The section that a dataclass declares.

    Raises:
        ValueError: for an option or a section without a meaning, a documented option that does not exist, or values
            of which some are explained and others not.
    """
    own = inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0]
    if not own or own.startswith(f"{cls.__name__}("):  # written by `dataclass` where there is no docstring
        raise ValueError(f"{cls.__name__} has no docstring that says what the section is for")
    exactly_one = getattr(cls, "EXACTLY_ONE", ())
    return Section(_one_line(own), tuple(_options(cls)), exactly_one)


def section_of(kind: Any) -> type | None:
    """The dataclass that describes a mapping, or each entry of a mapping or list; None for other options."""
    for part in (unbound(kind), *get_args(unbound(kind))):
        if is_dataclass(unbound(part)):
            return unbound(part)
    return None


def unbound(kind: Any) -> Any:
    """A type without its bounds and without None; a union of several types as it is."""
    if get_origin(kind) is Annotated:
        return unbound(get_args(kind)[0])
    others = [part for part in get_args(kind) if part is not type(None)]
    return unbound(others[0]) if type(None) in get_args(kind) and len(others) == 1 else kind


def bounds_of(kind: Any) -> tuple[Any, ...]:
    """Range, Size and Pattern of a type, the innermost first."""
    if get_origin(kind) is Annotated:
        inner, *outer = get_args(kind)
        return (*bounds_of(inner), *outer)
    others = [part for part in get_args(kind) if part is not type(None)]
    return bounds_of(others[0]) if type(None) in get_args(kind) and len(others) == 1 else ()


def _options(cls: type) -> Iterator[Option]:
    kinds, meanings = get_type_hints(cls, include_extras=True), _meanings(cls)
    names = [f.name for f in fields(cls)]
    if unknown := set(meanings) - set(names):
        raise ValueError(f"{cls.__name__} documents {sorted(unknown)}, which are no options of it")
    for f in fields(cls):
        inner = section_of(kinds[f.name])
        meaning = meanings.get(f.name) or (None if inner is None else Meaning(read_section(inner).meaning, {}))
        if meaning is None:
            raise ValueError(f"{cls.__name__}.{f.name} has no meaning: name it under `Attributes:`")
        choices = get_args(unbound(kinds[f.name])) if get_origin(unbound(kinds[f.name])) is Literal else ()
        if choices and meaning.values and tuple(meaning.values) != tuple(map(str, choices)):
            raise ValueError(f"{cls.__name__}.{f.name} explains {', '.join(meaning.values)}: expected {choices}")
        yield Option(f.name, kinds[f.name], _default(f), meaning)


def _default(f: Field) -> Any:
    if f.default is not MISSING:
        default = f.default
    else:
        default = REQUIRED if f.default_factory is MISSING else f.default_factory()
    return {} if is_dataclass(default) else default


def _meanings(cls: type) -> dict[str, Meaning]:
    """Meanings of a dataclass and those it inherits from; its own come last and win."""
    found: dict[str, Meaning] = {}
    for base in reversed(cls.__mro__):
        if is_dataclass(base):
            found |= parse_meanings(inspect.cleandoc(base.__dict__.get("__doc__") or ""))
    return found


def parse_meanings(docstring: str) -> dict[str, Meaning]:
    """Meanings under `Attributes:` of a docstring whose common indentation is removed."""
    texts: dict[str, list[str]] = {}
    values: dict[str, dict[str, list[str]]] = {}
    lines: list[str] = []
    for line in _attribute_lines(docstring):
        if match := _FIELD.fullmatch(line):
            name, lines = match[1], [match[2]]
            texts[name], values[name] = lines, {}
        elif match := _VALUE.fullmatch(line):
            lines = [match[2]]
            values[name][match[1]] = lines
        else:
            lines.append(line.strip())
    return {
        name: Meaning(_sentence(text), {value: _one_line("\n".join(v)) for value, v in values[name].items()})
        for name, text in texts.items()
    }


def _attribute_lines(docstring: str) -> list[str]:
    _, found, rest = docstring.partition("\nAttributes:\n")
    return rest.split("\n\n")[0].rstrip().splitlines() if found else []


def _sentence(lines: list[str]) -> str:
    text = _one_line("\n".join(lines))
    return text[0].upper() + text[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())
