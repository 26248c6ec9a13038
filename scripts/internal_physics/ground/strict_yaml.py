"""YAML that refuses repeated keys: a second `smollm2:` must not silently replace the first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.text_files import read_text

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_LEVELS = 100
_MOST_NODES = 5_000_000  # with every alias expanded: a few lines of nested aliases can expand to billions


def load_yaml(path: str | Path) -> Any:
    """Read one YAML file.

    Raises:
        ConfigError: where it cannot be read, is not YAML, or a key is repeated; the error names file and line.
    """
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Read YAML text: one document of plain types.

    Keys are checked before anything is built: building a merge (`<<`) copies its keys into the mapping, where an
    overridden key would look like a repeated one.

    Raises:
        ConfigError: as `load_yaml`, naming `where`.
    """
    try:
        _refuse_deep(text, where)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return None
        _refuse_endless(root, where)
        for mapping in _mappings(root, set()):
            _refuse_repeated_keys(mapping, where)
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {_explain(error)}", where=where) from error
    except ValueError as error:  # an impossible date or number
        raise ConfigError(f"not valid YAML: {error}", where=where, todo="put text in quotes") from error


def _explain(error: yaml.YAMLError) -> str:
    """The problem and its line, without the excerpt that PyYAML adds."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    words = [word for word in (error.context, error.problem) if word]
    return f"{', '.join(words)}, in line {mark.line + 1}, column {mark.column + 1}"


def _refuse_deep(text: str, where: str) -> None:
    """Count levels in the event stream: building deeply nested nodes recursively would crash the process."""
    level = 0
    for event in yaml.parse(text, Loader=_Loader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _MOST_LEVELS:
            raise ConfigError(
                f"it is nested deeper than {_MOST_LEVELS} levels, in line {event.start_mark.line + 1}",
                where=where,
                expected="a few levels",
            )


def _refuse_endless(root: yaml.Node, where: str) -> None:
    """Refuse aliases that refer to themselves, or expand to more than fits in memory."""
    sizes: dict[int, int | None] = {}

    def size(node: yaml.Node) -> int:
        if id(node) in sizes:
            known = sizes[id(node)]
            if known is None:
                raise ConfigError("an alias refers to itself", where=where, expected="aliases without cycles")
            return known
        sizes[id(node)] = None
        sizes[id(node)] = total = 1 + sum(size(child) for child in _children(node))
        return total

    if size(root) > _MOST_NODES:
        raise ConfigError("its aliases expand to millions of entries", where=where, todo="write the entries out")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.CollectionNode):
        for part in node.value:
            yield from part if isinstance(part, tuple) else (part,)


def _mappings(node: yaml.Node, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """Every mapping below a node, once: an alias refers to the same node again."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
    for child in _children(node):
        yield from _mappings(child, seen)


def _refuse_repeated_keys(mapping: yaml.MappingNode, where: str) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        if (key.tag, key.value) in seen:
            raise ConfigError(
                f"the key {key.value!r} is given twice (second time in line {key.start_mark.line + 1})",
                where=where,
                expected="each key once",
                todo="rename or remove one of them",
            )
        seen.add((key.tag, key.value))
