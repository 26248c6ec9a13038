"""A config that is accepted, changes of it, and what is said of one that is refused."""

import copy

import pytest
from internal_physics.config.load import load_config
from internal_physics.ground.errors import ConfigError

PROMPTS = [{"name": name, "text": "some text"} for name in "abc"]
GOOD = {"models": {"m": {"source": "path:/some/model"}}, "prompt_sets": {"s": {"prompts": PROMPTS}}}
SEE_OPTIONS = "change it; docs/options.md describes every option"


def config(**changes):
    return {**copy.deepcopy(GOOD), **changes}


def with_model(**options):
    return config(models={"m": {"source": "path:/some/model", **options}})


def with_set(**options):
    return config(prompt_sets={"s": options})


def refused(raw, kind=ConfigError):
    with pytest.raises(kind) as error:
        load_config(raw, where="my.yaml")
    return error.value
