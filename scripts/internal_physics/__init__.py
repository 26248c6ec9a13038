"""Internal Physics: the reproducible physics lab for language models.

    import internal_physics as ip
    model = ip.load("path-or-hub-id", quantization="nf4")
    trace = ip.record(model, "The capital of France is")
    ip.metrics.ec(trace)

Everything is loaded when it is first used, so that importing the package costs nothing and needs no torch.
"""

import importlib

__version__ = "0.1.0"
_HOMES = {
    "lens": "internal_physics.api",
    "load": "internal_physics.api",
    "record": "internal_physics.api",
    "steer": "internal_physics.api",
    "Trace": "internal_physics.records.trace",
    "read_trace": "internal_physics.records.store",
    "weight_spectra": "internal_physics.families.thermodynamics.spectra",
    "write_trace": "internal_physics.records.store",
}
__all__ = ["Trace", "lens", "load", "metrics", "read_trace", "record", "steer", "weight_spectra", "write_trace"]


def __getattr__(name: str) -> object:
    if name == "metrics":
        return importlib.import_module("internal_physics.metrics")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'internal_physics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
