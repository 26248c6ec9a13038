"""Grammars from files: those of the package by name, and those of the user by path."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.ground.suggest import did_you_mean
from internal_physics.lab.data.grammars.grammar import Grammar

FOLDER = Path(__file__).parent
EXPECTED = (
    "`levels`: lists of ids, root first, terminals last; and `rules`: id → list of lists of ids of the next level"
)


def grammar_names() -> tuple[str, ...]:
    """Names of the grammars that the package has."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def grammar_named(name: str, root: int | None = None) -> Grammar:
    """A grammar of the package, or the part of it below the symbol `root`.

    Raises:
        ConfigError: there is no grammar of that name, or no rules for that symbol.
    """
    if name not in grammar_names():
        raise ConfigError(
            f"no grammar {name!r}",
            where="grammar",
            expected=f"one of {', '.join(grammar_names())}",
            todo=did_you_mean(name, grammar_names(), "read your own with read_grammar(path)"),
        )
    return read_grammar(FOLDER / f"{name}.yaml", root)


def read_grammar(path: str | Path, root: int | None = None) -> Grammar:
    """A grammar from a YAML file with `levels` and `rules` by id, or the part of it below the symbol `root`.

    Raises:
        ConfigError: the file cannot be read or is no grammar, naming the file; or there are no rules for that symbol.
    """
    content = load_yaml(path)
    try:
        grammar = _parse(Path(path).stem, content)
    except ConfigError as error:
        raise ConfigError(error.what, where=str(path), expected=EXPECTED) from error
    return grammar if root is None else grammar.rooted_at(root)


def _parse(name: str, content: Any) -> Grammar:
    if not isinstance(content, Mapping) or set(content) != {"levels", "rules"}:
        raise ConfigError("it has not exactly the keys `levels` and `rules`")
    levels, rules = content["levels"], content["rules"]
    if not isinstance(rules, Mapping) or not _is_nested_ids(levels, 2) or not _is_nested_ids(list(rules.values()), 3):
        raise ConfigError("`levels` or `rules` are of another form")
    if set(rules) != {symbol for level in levels[:-1] for symbol in level}:
        raise ConfigError("`rules` are not for exactly the symbols above the terminals")
    indices = [{symbol: index for index, symbol in enumerate(level)} for level in levels]
    by_level = tuple(
        tuple(
            tuple(tuple(indices[depth + 1].get(child, -1) for child in right) for right in rules[symbol])
            for symbol in level
        )
        for depth, level in enumerate(levels[:-1])
    )
    return Grammar(name, tuple(tuple(level) for level in levels), by_level)


def _is_nested_ids(value: Any, levels: int) -> bool:
    """Whether a value is a list of lists ... of whole numbers, `levels` deep."""
    if levels == 0:
        return type(value) is int
    return isinstance(value, list) and bool(value) and all(_is_nested_ids(part, levels - 1) for part in value)
