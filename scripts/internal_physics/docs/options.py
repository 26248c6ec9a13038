"""Options of the config and counts of the default config, for README and docs."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from internal_physics.config.load import load_config
from internal_physics.docs.config_sections import config_section
from internal_physics.docs.options_page import all_options, shown_default, some_options
from internal_physics.ground.strict_yaml import load_yaml

PAGE = "../options.md"  # relative to the pages of the families


def options(prefix: str = "") -> str:
    """All options, a table for each section; with a prefix, one table of those whose names begin with it."""
    return some_options(config_section(), prefix, PAGE) if prefix else all_options(config_section())


def default(name: str) -> str:
    """Default of an option, by its dotted name."""
    return shown_default(config_section(), name)


def counts(config: Mapping[str, Any]) -> dict[str, int]:
    """How many models, prompt sets, prompts and conditions a config has."""
    checked = load_config(config)
    return {
        "models": len(checked.models),
        "prompt_sets": len(checked.prompt_sets),
        "prompts": sum(len(prompt_set.prompts) for prompt_set in checked.prompt_sets.values()),
        "conditions": len(checked.conditions),
    }


def makers(config_file: str | Path) -> dict[str, Callable[..., str]]:
    """The makers of pages that show options (by prefix), a default (by name), or a count of the default config."""
    return {
        "options": options,
        "option-default": default,
        "config": partial(_count, counts(load_yaml(config_file))),
    }


def _count(found: Mapping[str, int], what: str) -> str:
    return str(found[what])
