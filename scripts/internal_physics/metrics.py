"""The metrics of the Python API: `ip.metrics.ec(trace)`. Each is loaded when it is first used."""

import importlib
from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any

from internal_physics.api.checks import in_words, require_trace
from internal_physics.ground.errors import ConfigError, StoreError
from internal_physics.records.trace import Trace

_HOMES = {
    **dict.fromkeys(("ec", "isc", "isg", "isa"), "internal_physics.families.gradient_flow.scores"),
    "isf": "internal_physics.families.gradient_flow.isf",
    "residual_gain": "internal_physics.families.residual_gain.residual_gain",
    "thermodynamics": "internal_physics.families.thermodynamics.thermodynamics",
}

_OF_SEVERAL = ("isf",)


def __getattr__(name: str) -> Callable[..., Any]:
    if name in _HOMES:
        return _in_words(name)
    raise AttributeError(f"there is no metric {name!r}; there are {', '.join(_HOMES)}")


def __dir__() -> list[str]:
    return list(_HOMES)


@cache
def _in_words(name: str) -> Callable[..., Any]:
    """A metric that says in words what it cannot take: something else than a trace, an unknown variant."""
    metric = getattr(importlib.import_module(_HOMES[name]), name)

    @wraps(metric)
    def checked(first: Any, *args: Any, **kwargs: Any) -> Any:
        if name in _OF_SEVERAL:
            first = _traces(first, name)
        else:
            require_trace(first, name)
        try:
            return metric(first, *args, **kwargs)
        except ValueError as error:
            what, _, expected = str(error).partition(": expected ")
            raise ConfigError(what, where=name, expected=expected) from None

    return in_words(checked)


def _traces(given: Any, name: str) -> list[Trace]:
    if isinstance(given, Trace) or not isinstance(given, Iterable):
        raise StoreError(
            f"found {'one Trace' if isinstance(given, Trace) else f'a {type(given).__name__}'}",
            where=name,
            expected="a list of traces: its spectrum is over several prompts",
        )
    traces = list(given)
    for i, trace in enumerate(traces):
        require_trace(trace, f"{name} → {i}")
    return traces
