"""The metrics of the Python API: `ip.metrics.ec(trace)`. Each is loaded when it is first used."""

import importlib
from collections.abc import Callable
from typing import Any

_HOMES = {
    **dict.fromkeys(("ec", "isc", "isg", "isa"), "internal_physics.families.gradient_flow.scores"),
    "isf": "internal_physics.families.gradient_flow.isf",
    "residual_gain": "internal_physics.families.residual_gain.residual_gain",
    "thermodynamics": "internal_physics.families.thermodynamics.thermodynamics",
}


def __getattr__(name: str) -> Callable[..., Any]:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"there is no metric {name!r}; there are {', '.join(_HOMES)}")


def __dir__() -> list[str]:
    return list(_HOMES)
