"""Metrics: one module each, pure functions of a Trace (or several) to numbers and tidy rows.

`internal_physics.metrics.ec(trace)` is the function, although `metrics/ec.py` is a module too: the package answers
such names with the metric's function, and loads it when it is first asked for. So a job that needs one metric
imports (and is made stale by) that metric alone.
"""

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType

PER_PROMPT = ("ec", "isc", "isg", "isa")
PER_SET = ("isf",)
GRADIENT_FLOW = ("ec", "isc", "isg", "isa", "isf")
RESIDUAL_GAIN = "residual_gain"
# Scores of the metric `thermodynamics`: medians over kinds of maps. Each also exists by kind: temperature_query.
THERMODYNAMICS = ("temperature", "entropy_nats", "energy", "free_energy")


def score_names(metrics: Iterable[str]) -> list[str]:
    """The scores that every model and prompt set has where these metrics are asked for; residual gain has none."""
    of_metric = {metric: (metric,) for metric in GRADIENT_FLOW} | {"thermodynamics": THERMODYNAMICS}
    return [score for metric in metrics for score in of_metric.get(metric, ())]


class _Metrics(ModuleType):
    """The package itself, on which each metric is a read-only attribute."""


def _metric(name: str) -> property:
    def get(_package: ModuleType) -> object:
        return getattr(importlib.import_module(f"{__name__}.{name}"), name)

    def ignore(_package: ModuleType, _module: ModuleType) -> None:
        """Python's import system would hang the module itself under this name."""

    return property(get, ignore)


for _name in (*GRADIENT_FLOW, RESIDUAL_GAIN, "thermodynamics"):
    setattr(_Metrics, _name, _metric(_name))
sys.modules[__name__].__class__ = _Metrics
