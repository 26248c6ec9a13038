"""The documentation's table of options, generated from config/schema.yaml (see internal_physics.docs)."""

from collections.abc import Iterator, Mapping
from typing import Any


def options_table(rules: Mapping[str, Any]) -> str:
    """Markdown table: option, values, default, meaning; nested keys are dotted, named entries are <name>."""
    head = "| option | values | default | meaning |\n|---|---|---|---|\n"
    return head + "\n".join(_rows(rules, rules, "")) + "\n"


def _rows(rules: Mapping[str, Any], root: Mapping[str, Any], prefix: str) -> Iterator[str]:
    required = rules.get("required", [])
    for key, value in rules.get("properties", {}).items():
        default = "required" if key in required else _shown(value.get("default"), value)
        yield f"| `{prefix}{key}` | {_values(value)} | {default} | {value['description']} |"
        named = value.get("additionalProperties")
        if isinstance(named, Mapping) and "$ref" in named:
            yield from _rows(root["$defs"][named["$ref"].rsplit("/", 1)[-1]], root, f"{prefix}{key}.<name>.")
        yield from _rows(value, root, f"{prefix}{key}.")


def _values(rules: Mapping[str, Any]) -> str:
    if "enum" in rules:
        return ", ".join(f"`{v}`" for v in rules["enum"])
    if rules.get("type") == "array" and "enum" in rules.get("items", {}):
        return "list of " + ", ".join(f"`{v}`" for v in rules["items"]["enum"])
    limits = [f"≥ {rules['minimum']}"] if "minimum" in rules else []
    types = rules.get("type", "")
    types = types if isinstance(types, str) else " or ".join(types)
    return " ".join([types, *limits]).replace("object", "mapping").replace("array", "list")


def _shown(default: Any, rules: Mapping[str, Any]) -> str:
    if default is None or rules.get("type") == "object":
        return ""
    if default == "":
        return "empty"
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"
