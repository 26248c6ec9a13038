"""The workshop of all figures: style, selection of rows, scales, saving. In Python: `ip.figures.radar(table, ...)`.

Names of the Python API are loaded when they are first used: every figure imports this file.
"""

import importlib
import importlib.util


def __getattr__(name: str) -> object:
    if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}"):
        raise AttributeError(name)  # a module of the workshop that is not loaded yet
    return importlib.import_module("internal_physics.api.figures").figure_named(name)


def __dir__() -> list[str]:
    return importlib.import_module("internal_physics.api.figures").names()
