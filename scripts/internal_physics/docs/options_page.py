"""Options of the config as Markdown: values, default and meaning of each."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from internal_physics.docs.markdown import code, codes, table
from internal_physics.docs.sections import (
    NOT_GIVEN,
    REQUIRED,
    Option,
    Section,
    bounds_of,
    read_section,
    section_of,
    unbound,
)
from internal_physics.ground.options import Range

HEAD = ("option", "values", "default", "meaning")
_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "anything"}


@dataclass(frozen=True)
class Place:
    """A mapping of the config: `models.<name>.` begins the full names of the options of a model."""

    path: str
    section: Section

    @property
    def title(self) -> str:
        """Its name without the placeholders of the user's own names."""
        return self.path.rstrip(".").replace(".<name>", "").replace("[]", "")

    @property
    def heading(self) -> str:
        """The anchor that Markdown makes of its title."""
        return self.title.replace(".", "")

    def full_name(self, option: Option) -> str:
        """With the names of all mappings around it."""
        return f"{self.path}{option.name}"

    def anchor(self, option: Option) -> str:
        """Of the option's row. It begins with "option-", which keeps it apart from the anchors of headings."""
        return "option-" + self.full_name(option).replace(".<name>", "").replace("[]", "")


def all_options(config: Section) -> str:
    """A heading and a table for every mapping of the config; every row has an anchor."""
    places = list(_places(config, ""))
    links = _links(places, page="")
    return "\n".join(_place(place, links) for place in places)


def some_options(config: Section, prefix: str, page: str) -> str:
    """One table of the options whose full names begin with a prefix.

    Args:
        config: all sections.
        prefix: "information." for the options of that section, "conditions" for these mappings and theirs.
        page: the page that has all options, for links.

    Raises:
        KeyError: if there is no such option.
    """
    places = list(_places(config, ""))
    links = _links(places, page)
    rows = [
        _cells(place, option, links)
        for place in places
        for option in place.section.options
        if place.full_name(option).startswith(prefix)
    ]
    if not rows:
        raise KeyError(f"no option begins with {prefix!r}")
    return table(HEAD, rows)


def shown_default(config: Section, name: str) -> str:
    """Default of an option, by its full name, for use within a sentence.

    Raises:
        KeyError: if there is no such option.
    """
    for place in _places(config, ""):
        for option in place.section.options:
            if place.full_name(option) == name:
                return _default(option).strip("`")
    raise KeyError(f"there is no option {name!r}")


def _places(section: Section, path: str) -> Iterator[Place]:
    """Every mapping, before those inside it."""
    yield Place(path, section)
    for option in section.options:
        if inner := section_of(option.kind):
            yield from _places(read_section(inner), f"{path}{option.name}{_step(option)}.")


def _step(option: Option) -> str:
    """Text between the name of an option and the names of its entries' options."""
    entries = get_origin(unbound(option.kind))
    return {None: "", tuple: "[]"}.get(entries, ".<name>")


def _links(places: Iterable[Place], page: str) -> dict[str, str]:
    """Full name of an option -> link to its row; of a mapping, to its table."""
    links: dict[str, str] = {}
    for place in places:
        links |= {place.full_name(option): f"{page}#{place.anchor(option)}" for option in place.section.options}
    return links | {place.title: f"{page}#{place.heading}" for place in places if place.title}


def _place(place: Place, links: Mapping[str, str]) -> str:
    section = place.section
    lines = [f"{'###' if '.' in place.title else '##'} {place.title}\n"] if place.title else []
    lines += [f"{_linked(section.meaning, links)}\n"] if place.title else []
    if section.exactly_one:
        *others, last = map(code, section.exactly_one)
        lines.append(f"Exactly one of {', '.join(others)} and {last} is given.\n")
    rows = [
        [f'<a id="{place.anchor(option)}"></a>{name}', *cells]
        for option in section.options
        for name, *cells in [_cells(place, option, links)]
    ]
    return "\n".join([*lines, table(HEAD, rows)])


def _cells(place: Place, option: Option, links: Mapping[str, str]) -> list[str]:
    described = "".join(f"<br>{code(value)}: {text}" for value, text in option.meaning.values.items())
    name, values = place.full_name(option), _values(option.kind)
    if section_of(option.kind):
        values = f"[{values}]({links[f'{name}{_step(option)}'.replace('.<name>', '').replace('[]', '')]})"
    return [code(name), values, _default(option), _linked(option.meaning.text + described, links, but=name)]


def _linked(text: str, links: Mapping[str, str], but: str = "") -> str:
    """Text in which options that are named in full, as `record.top_k`, lead to their rows; `but` not."""
    return re.sub(r"`([^`]+)`", partial(_link, links={key: links[key] for key in links if key != but}), text)


def _link(found: re.Match[str], links: Mapping[str, str]) -> str:
    return f"[{found[0]}]({links[found[1]]})" if found[1] in links else found[0]


def _values(kind: Any) -> str:
    limits = [_limits(bound) for bound in bounds_of(kind) if isinstance(bound, Range)]
    return " ".join([_type(unbound(kind)), *limits])


def _type(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return codes(arguments)
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in arguments if part is not type(None))
    if origin is tuple:
        entry = _values(arguments[0])
        return f"list of {entry}s" if entry in ("number", "whole number", "mapping") else f"list of {entry}"
    return _WORDS.get(kind, "mapping")


def _limits(bound: Range) -> str:
    limits = {"≥": bound.minimum, ">": bound.above, "<": bound.below}
    return ", ".join(f"{sign} {limit}" for sign, limit in limits.items() if limit is not None)


def _default(option: Option) -> str:
    default = option.default
    if default is REQUIRED:
        return "required"
    if default is NOT_GIVEN or isinstance(default, Mapping):
        return ""
    if isinstance(default, tuple):
        return "all" if default else "none"
    if isinstance(default, bool):
        return code(str(default).lower())
    return code(default) if default != "" else "empty"
