"""Checks of the arguments of the Python API, with the messages that the config has for the same mistakes."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, get_args

from internal_physics.config.explain import require_options
from internal_physics.config.options.record import RecordOptions
from internal_physics.config.options.run import SourceOptions
from internal_physics.config.options.steering import SteeringOptions
from internal_physics.config.options.text import TextOptions
from internal_physics.config.validate import schema
from internal_physics.families.information.options import ReadingOptions
from internal_physics.ground.errors import ConfigError, ModelError, StoreError
from internal_physics.ground.options import names_of
from internal_physics.models.options import SPELLED, Attention, ModelOptions
from internal_physics.records.trace import Trace

P = ParamSpec("P")
R = TypeVar("R")
OF_SOURCE = tuple(name for name in names_of(SourceOptions) if name != "source")


def in_words(function: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function: unknown or missing arguments raise a ConfigError in plain words, not a TypeError."""
    signature, name = inspect.signature(function), function.__name__

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if "revision" in kwargs:
            raise _revision(name, kwargs["revision"])
        require_options(dict.fromkeys(kwargs), dict.fromkeys(signature.parameters, True), name)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ConfigError(str(error), where=name, expected=f"{name}{signature}") from None
        return function(*args, **kwargs)

    return checked


def _revision(name: str, revision: object) -> ConfigError:
    return ConfigError(
        "unknown key 'revision'",
        where=name,
        expected="the revision in the source",
        todo=f'write "org/name@{revision}"',
    )


def load_options(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Options of a model and its source for the library, with its spelling of number formats.

    Raises:
        ConfigError: for an invalid option.
    """
    rules = _rules("model", (*names_of(ModelOptions), *OF_SOURCE)) | {"attention": {"enum": list(get_args(Attention))}}
    spelled = {key: SPELLED[key](value) if key in SPELLED else value for key, value in given.items()}
    require_options(spelled, rules, where)
    return spelled


def record_options(given: Mapping[str, Any], where: str) -> tuple[RecordOptions, TextOptions]:
    """Options of recording, and of how texts become tokens.

    Raises:
        ConfigError: for an invalid option.
    """
    of_record = {key: schema()["properties"]["record"]["properties"][key] for key in names_of(RecordOptions)}
    require_options(given, of_record | _rules("model", names_of(TextOptions)), where)
    return (
        RecordOptions(**{key: given[key] for key in names_of(RecordOptions) if key in given}),
        TextOptions(**{key: given[key] for key in names_of(TextOptions) if key in given}),
    )


def reading_options(given: Mapping[str, Any], where: str) -> None:
    """Refuse invalid options of a lens.

    Raises:
        ConfigError: that names the option.
    """
    of_config = schema()["properties"]["information"]["properties"]
    require_options(given, {key: of_config[key] for key in names_of(ReadingOptions)}, where)


def steering_rules() -> dict[str, Any]:
    """The schema of a condition's steering options, as part of the config's schema."""
    return _rules("condition", names_of(SteeringOptions))


def require_model(model: object, where: str) -> None:
    """Refuse anything that `load` did not return.

    Raises:
        ModelError: that says what was found.
    """
    if not hasattr(model, "anatomy"):
        raise ModelError(f"found {_short(model)}", where=f"{where} → model", expected="a model, from ip.load")


def require_steering(steering: object, where: str) -> None:
    """Refuse anything that `steer` did not return; None means no steering.

    Raises:
        ConfigError: that says what was found.
    """
    if steering is not None and not hasattr(steering, "edits"):
        raise ConfigError(
            f"found a {type(steering).__name__}",
            where=f"{where} → steering",
            expected="an intervention",
            todo="make one with ip.steer(model, ...)",
        )


def require_trace(trace: object, where: str) -> None:
    """Refuse anything but one trace.

    Raises:
        StoreError: that says what was found.
    """
    if isinstance(trace, Trace):
        return
    todo = "give them one by one" if isinstance(trace, list | tuple) else "record a text with ip.record"
    raise StoreError(f"found {_short(trace)}", where=where, expected="one Trace", todo=todo)


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value!r:.60}" if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def _rules(entry: str, names: tuple[str, ...]) -> dict[str, Any]:
    of_config = schema()["$defs"][entry]["properties"]
    return {key: of_config[key] for key in names}
