"""A config against config/schema.yaml: what the schema says of its options, and the defaults that it writes in."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema

from internal_physics.config.explain import OptionsValidator, explain, refuse_not_finite
from internal_physics.ground.errors import ConfigError
from internal_physics.ground.home import home
from internal_physics.ground.strict_yaml import load_yaml

SCHEMA_PATH = home() / "config" / "schema.yaml"


@lru_cache
def schema() -> dict[str, Any]:
    """The JSON schema of the config, generated from the options' dataclasses (see internal_physics.docs)."""
    return load_yaml(SCHEMA_PATH)


@lru_cache
def _rules() -> dict[str, Any]:
    """The schema without the rules for prompts: `parse_prompts` checks those, in the config and in files."""
    return schema() | {"$defs": {**schema()["$defs"], "prompt": {"type": "object"}}}


def check_options(config: dict[str, Any], where: str) -> None:
    """Check a config, and write every default into it, in place.

    Args:
        config: the mapping.
        where: the file's name, for messages.

    Raises:
        ConfigError: an option that the schema does not allow, or a number that is not finite.
    """
    _Validator(_rules()).check(config, where)


class _Validator:
    """Draft 2020-12 validation that first writes defaults in, and reports in plain words."""

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self.rules = rules

    def check(self, config: dict[str, Any], where: str) -> None:
        error = jsonschema.exceptions.best_match(self._errors(config))
        if error is None:
            refuse_not_finite(config, f"{where}: ")
            self._write_defaults(config, self.rules)
            return
        place = " → ".join(str(part) for part in error.absolute_path)
        raise ConfigError(**explain(error), where=f"{where}: {place}" if place else where)

    def _errors(self, config: Mapping[str, Any]) -> Iterator[jsonschema.ValidationError]:
        return OptionsValidator(self.rules).iter_errors(config)

    def _write_defaults(self, value: Any, rules: Mapping[str, Any]) -> None:
        rules = self.rules["$defs"][rules["$ref"].rsplit("/", 1)[-1]] if "$ref" in rules else rules
        if not isinstance(value, dict):
            return
        for key, sub_rules in rules.get("properties", {}).items():
            if "default" in sub_rules:
                value.setdefault(key, copy.deepcopy(sub_rules["default"]))
            if key in value:
                self._write_defaults(value[key], sub_rules)
        if isinstance(rules.get("additionalProperties"), Mapping):
            for sub_value in value.values():
                self._write_defaults(sub_value, rules["additionalProperties"])
        elif "properties" in rules:  # otherwise the user chose the keys, and their order is kept
            _order_keys(value, rules["properties"])


def _order_keys(value: dict[str, Any], order: Iterable[str]) -> None:
    """Put keys in the order of the schema: how a config happens to be written must not make anything stale."""
    ordered = {key: value[key] for key in order if key in value}
    value.clear()
    value.update(ordered)
