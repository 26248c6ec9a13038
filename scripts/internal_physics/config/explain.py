"""Violations of the options' schema in plain words, and a check of options that come from Python."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jsonschema

from internal_physics.ground.errors import ConfigError
from internal_physics.ground.suggest import did_you_mean
from internal_physics.models.options import LIKELY

_QUOTES = "put it in quotes"
_TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_SEE_OPTIONS = "change it; docs/options.md describes every option"

# A whole number is an int: 16.0 would pass by the standard, and fail later where a number of things is needed.
_WHOLE = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
OptionsValidator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=_WHOLE)


def require_options(given: Mapping[str, Any], rules: Mapping[str, Any], where: str) -> None:
    """Refuse an unknown option or an invalid value, as the config would.

    Args:
        given: name → value.
        rules: name → its rules in the schema.
        where: the function that takes them, for messages.

    Raises:
        ConfigError: listing the known options, or the allowed values.
    """
    schema = {"type": "object", "additionalProperties": False, "properties": dict(rules)}
    values = {name: plain(value) for name, value in given.items()}
    error = jsonschema.exceptions.best_match(OptionsValidator(schema).iter_errors(values))
    if error is not None:
        place = " → ".join([where, *(str(part) for part in error.absolute_path)])
        raise ConfigError(**explain(error), where=place)
    refuse_not_finite(values, f"{where} → ")


def plain(value: Any) -> Any:
    """Numbers, arrays and tuples of Python, numpy and torch as the config would have them: numbers and lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {plain(key): plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple | range) else value


def not_finite(value: Any) -> tuple[list[str], float] | None:
    """Place and value of the first nan or infinity in options; the schema accepts them within any bounds."""
    if isinstance(value, float):
        return None if math.isfinite(value) else ([], value)
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, entry in entries:
        if (place := not_finite(entry)) is not None:
            path, number = place
            return [str(key), *path], number
    return None


def refuse_not_finite(value: Any, before: str) -> None:
    """Refuse nan and infinity anywhere in options.

    Args:
        value: the options.
        before: put before the place in messages.

    Raises:
        ConfigError: naming the place of the first.
    """
    if (place := not_finite(value)) is not None:
        raise ConfigError(f"found {place[1]!r}", where=before + " → ".join(place[0]), expected="a finite number")


def explain(error: jsonschema.ValidationError) -> dict[str, str]:
    """The words what, expected and todo of an error for a schema violation."""
    hint = error.schema.get("description", "")
    if "propertyNames" in error.absolute_schema_path:
        wrong, todo = ("cannot be used", "rename it") if isinstance(error.instance, str) else ("is not text", _QUOTES)
        return {"what": f"the name {error.instance!r} {wrong}", "expected": hint, "todo": todo}
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(set(error.instance) - set(known), key=str)[0]
        todo = did_you_mean(unknown, known, otherwise="remove it")
        return {"what": f"unknown key {unknown!r}", "expected": f"some of {', '.join(known)}", "todo": todo}
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return {"what": f"{missing[0]!r} is missing", "todo": f"add {missing[0]!r}"}
    if error.validator == "oneOf":
        names = [f"`{alternative['required'][0]}`" for alternative in error.validator_value]
        return {
            "what": f"it has none or several of {', '.join(names[:-1])} and {names[-1]}",
            "expected": "exactly one of them",
        }
    return _explain_value(error, hint)


def _explain_value(error: jsonschema.ValidationError, hint: str) -> dict[str, str]:
    """The same for a value that breaks one rule."""
    if error.validator == "enum":
        allowed = [str(v) for v in error.validator_value]
        likely = LIKELY.get(str(error.instance).lower())
        todo = f"did you mean {likely!r}?" if likely in allowed else did_you_mean(error.instance, allowed, _SEE_OPTIONS)
        return {"what": f"found {error.instance!r:.100}", "expected": f"one of {', '.join(allowed)}", "todo": todo}
    expected = "; ".join(part for part in (_kind(error.schema), hint) if part)
    if error.instance is None or error.validator in ("minItems", "minProperties", "minLength"):
        return {"what": "it is empty", "expected": expected, "todo": _SEE_OPTIONS}
    if error.validator == "uniqueItems":
        twice = next(entry for i, entry in enumerate(error.instance) if entry in error.instance[:i])
        return {"what": f"{twice!r} is given twice", "expected": "each once", "todo": "remove one of them"}
    if error.validator == "pattern":
        text = str(error.instance)
        likely = LIKELY.get(text.lower()) or (_likely_source(text) if "path" in error.schema["pattern"] else "")
        todo = f"did you mean {likely!r}?" if likely else _SEE_OPTIONS
    else:
        todo = _as_meant(error.instance, error.schema) or _SEE_OPTIONS
    return {"what": f"found {error.instance!r:.100}", "expected": expected, "todo": todo}


def _likely_source(text: str) -> str:
    """A source without its prefix, with it: a folder, or a repository of the hub; "" if it looks like neither."""
    if text.startswith(("/", "./", "../", "~")) or text.endswith(".gguf"):
        return f"path:{text}"
    return f"hf:{text}" if re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", text) else ""


def _kind(rules: Mapping[str, Any]) -> str:
    """What a value has to be, as the table of options has it: "a whole number ≥ 1"; "" where any text will do."""
    types = rules.get("type", [])
    names = [_TYPES[name] for name in ([types] if isinstance(types, str) else types)]
    bounds = [f"{sign} {rules[key]:g}" for key, sign in _BOUNDS.items() if key in rules]
    return "" if "pattern" in rules else " ".join(filter(None, [" or ".join(names), ", ".join(bounds)]))


def _is_entry(value: Any, rules: Mapping[str, Any] | None) -> bool:
    """Whether a value could be an entry of a list whose entries have these rules; any number if there are none."""
    if rules is None:
        return isinstance(value, int | float)
    return isinstance(value, str | int | float) and OptionsValidator(rules).is_valid(value)


def _as_meant(value: Any, rules: Mapping[str, Any]) -> str:
    """How a value of the wrong type is written right, where one can tell; else ""."""
    types = rules.get("type", [])
    if "array" in types and _is_entry(value, rules.get("items")):
        return f"did you mean [{value}]?"
    if types == "string":
        return _QUOTES
    if types in ("integer", "number") and isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit():
        return "remove the quotes"
    if types == "number" and isinstance(value, str) and (spelt := _in_yaml(value)):
        return f"write {spelt}, because YAML reads {value} as text"
    if types == "integer" and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    return ""


def _in_yaml(text: str) -> str:
    """A number with an exponent as YAML reads it: with a point and a sign, 1.0e-3 for 1e-3; "" for other texts."""
    if not (found := re.fullmatch(r"([+-]?\d+)(\.\d*)?[eE]([+-]?)(\d+)", text)):
        return ""
    whole, fraction, sign, exponent = found.groups(default="")
    return f"{whole}{fraction if len(fraction) > 1 else '.0'}e{sign or '+'}{exponent}"
