"""The names of the Python API, `ip.record` and so on, and where each is at home."""

import importlib

__version__ = "0.1.0"
_HOMES = {
    "Run": "internal_physics.api.run",
    "compare": "internal_physics.api.comparing",
    "first_order_change": "internal_physics.api.kernels",
    "generate": "internal_physics.api.generating",
    "read_run": "internal_physics.api.run",
    "kernel": "internal_physics.api.kernels",
    "jacobians": "internal_physics.api.jacobians",
    "lens": "internal_physics.api.reading",
    "look": "internal_physics.api.looking",
    "load": "internal_physics.api.loading",
    "record": "internal_physics.api.recording",
    "steer": "internal_physics.api.steering",
    "Trace": "internal_physics.api.trace",
    "read_trace": "internal_physics.api.trace",
    "weight_spectra": "internal_physics.families.thermodynamics.spectra",
    "write_trace": "internal_physics.api.trace",
}
_MODULES = ("figures", "metrics")
NAMES = sorted([*_MODULES, *_HOMES])


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"internal_physics.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'internal_physics' has no attribute {name!r}; it has {', '.join(NAMES)}")
