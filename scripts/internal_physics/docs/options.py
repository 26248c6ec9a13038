"""Options of the config and counts of the default config, for README and docs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from internal_physics.config.docs import options_table
from internal_physics.config.load import load_config, schema
from internal_physics.ground.strict_yaml import load_yaml


def options(prefix: str = "") -> str:
    """The options whose names begin with a prefix (all without one), as a table."""
    head, rule, *rows = options_table(schema()).splitlines()
    chosen = [row for row in rows if row.startswith(f"| `{prefix}")]
    if not chosen:
        raise KeyError(f"no option begins with {prefix!r}")
    return "\n".join([head, rule, *chosen]) + "\n"


def default(name: str) -> str:
    """Default of an option, by its dotted name."""
    rules: Any = schema()
    for part in name.split("."):
        rules = rules["properties"][part]
    return f"{rules['default']:g}" if isinstance(rules["default"], float) else str(rules["default"])


def counts(config: Mapping[str, Any]) -> dict[str, int]:
    """How many models, prompt sets, prompts and conditions a config has."""
    checked = load_config(config)
    return {
        "models": len(checked.models),
        "prompt_sets": len(checked.prompt_sets),
        "prompts": sum(len(prompt_set.prompts) for prompt_set in checked.prompt_sets.values()),
        "conditions": len(checked.conditions),
    }


def makers(config_file: str) -> dict[str, Callable[..., str]]:
    """The makers of pages that show options (by prefix), a default (by name), or a count of the default config."""
    return {
        "options": options,
        "option-default": default,
        "config": partial(_count, counts(load_yaml(config_file))),
    }


def _count(found: Mapping[str, int], what: str) -> str:
    return str(found[what])
