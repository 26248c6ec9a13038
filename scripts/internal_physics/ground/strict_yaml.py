"""YAML that refuses repeated keys: a second `smollm2:` must not silently replace the first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from internal_physics.ground.errors import ConfigError

_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Base):  # type: ignore[misc,valid-type]
    """SafeLoader that raises on a key given twice in one mapping.

    The check runs before anything is built: building a merge (`<<`) copies its keys into the mapping, where they
    would look like repetitions of those that override them.
    """

    def get_single_node(self) -> yaml.Node | None:
        root = super().get_single_node()
        for mapping in _mappings(root, set()):
            _refuse_repeated_keys(mapping)
        return root


def load_yaml(path: str | Path) -> Any:
    """Read one YAML file.

    Raises:
        ConfigError: where it is not YAML, or a key is repeated; the error names file and line.
    """
    with Path(path).open(encoding="utf-8") as text:
        try:
            return yaml.load(text, Loader=_StrictLoader)
        except yaml.YAMLError as error:
            raise ConfigError(f"not valid YAML: {error}", where=str(path)) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"not UTF-8 text: {error}", where=str(path), todo="save it as UTF-8") from error


def _mappings(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.MappingNode]:
    """Every mapping below a node, once: an alias leads to the same node again."""
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
    if isinstance(node, yaml.CollectionNode):
        for part in node.value:
            for child in part if isinstance(part, tuple) else (part,):
                yield from _mappings(child, seen)


def _refuse_repeated_keys(mapping: yaml.MappingNode) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        if (key.tag, key.value) in seen:
            raise ConfigError(
                f"the key {key.value!r} is given twice (second time in line {key.start_mark.line + 1})",
                where=str(mapping.start_mark.name),
                expected="each key once",
                todo="rename or remove one of them",
            )
        seen.add((key.tag, key.value))
