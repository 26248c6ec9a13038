"""Generators of training data and their exact counts; no torch, and nothing is trained.

    from internal_physics.lab import data
    data.write_strings(data.grammar_named("cfg3f"), 1_000_000, "strings.parquet")
    data.write_biographies("biographies.parquet", 1_000_000)
    data.write_problems("problems.parquet", 1_000_000)

Names are loaded when they are first used; `public` lists them.
"""

import importlib
import importlib.util


def __getattr__(name: str) -> object:
    if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}"):
        raise AttributeError(name)  # a module that is not loaded yet
    return importlib.import_module("internal_physics.lab.data.public").named(name)


def __dir__() -> list[str]:
    return sorted(importlib.import_module("internal_physics.lab.data.public").HOMES)
