"""Violations of the options' schema in plain words, and a check of options that come from Python."""

import difflib
from collections.abc import Mapping
from typing import Any

import jsonschema

from internal_physics.ground.errors import ConfigError
from internal_physics.models.options import LIKELY

_QUOTES = "put it in quotes"
_SEE_OPTIONS = "change it; docs/options.md describes every option"


def require_options(given: Mapping[str, Any], rules: Mapping[str, Any], where: str) -> None:
    """Refuse an option that there is not, or whose value cannot be, as the config would.

    Args:
        given: name → value.
        rules: name → its rules in the schema.
        where: the function that takes them, for messages.

    Raises:
        ConfigError: listing the options, or the values of one.
    """
    schema = {"type": "object", "additionalProperties": False, "properties": dict(rules)}
    plain = {name: value.item() if _is_number_of_an_array(value) else value for name, value in given.items()}
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(plain))
    if error is not None:
        place = " → ".join([where, *(str(part) for part in error.absolute_path)])
        raise ConfigError(**explain(error), where=place)


def _is_number_of_an_array(value: Any) -> bool:
    """Whether it is a number of numpy or torch, which the schema does not take for one."""
    return hasattr(value, "item") and getattr(value, "shape", None) == ()


def explain(error: jsonschema.ValidationError) -> dict[str, str]:
    """Say what, expected and todo of a schema violation."""
    hint = error.schema.get("description", "")
    if "propertyNames" in error.absolute_schema_path:
        wrong, todo = ("cannot be used", "rename it") if isinstance(error.instance, str) else ("is not text", _QUOTES)
        return {"what": f"the name {error.instance!r} {wrong}", "expected": hint, "todo": todo}
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known), key=str)[0]
        close = difflib.get_close_matches(str(unknown), known, n=1)
        todo = f"did you mean {close[0]!r}?" if close else "remove it"
        return {"what": f"unknown key {unknown!r}", "expected": f"some of {', '.join(known)}", "todo": todo}
    if error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        likely = [name for name in allowed if name == LIKELY.get(str(error.instance).lower())]
        close = likely or difflib.get_close_matches(str(error.instance), allowed, n=1)
        return {
            "what": f"found {error.instance!r}",
            "expected": f"one of {', '.join(allowed)}",
            "todo": f"did you mean {close[0]!r}?" if close else _SEE_OPTIONS,
        }
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return {"what": f"{missing[0]!r} is missing", "todo": f"add {missing[0]!r}"}
    if error.validator == "oneOf":
        names = [f"`{alternative['required'][0]}`" for alternative in error.validator_value]
        return {
            "what": f"it has none or several of {', '.join(names[:-1])} and {names[-1]}",
            "expected": "exactly one of them",
        }
    return {"what": error.message, "expected": hint, "todo": _SEE_OPTIONS}
