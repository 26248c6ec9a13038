"""Internal Physics: the reproducible physics lab for language models.

    import internal_physics as ip
    model = ip.load("path-or-hub-id", quantization="nf4")
    trace = ip.record(model, "The capital of France is")
    ip.metrics.ec(trace)

Everything is loaded when it is first used, so that importing the package costs nothing and needs no torch. Names are in
`exports`: every job imports this file, so that what is written here makes every result stale.
"""

import importlib


def __getattr__(name: str) -> object:
    exports = importlib.import_module("internal_physics.exports")
    return exports.NAMES if name == "__all__" else getattr(exports, name)


def __dir__() -> list[str]:
    return importlib.import_module("internal_physics.exports").NAMES
