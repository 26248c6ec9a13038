"""Parts of the report: numbers as text, tables and flagged rows. Pure, no I/O."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.families.finding import number as signed
from internal_physics.families.registry import TABLES
from internal_physics.tables.preview import Preview, is_flagged

Tables = Mapping[str, pd.DataFrame | Preview]

MAX_FLAGGED, MAX_ROWS, MAX_PAIRS = 200, 2000, 3
_SMALL, _LARGE = 1e-3, 1e5  # between them a float is written without an exponent
_PLACE = ("model", "condition", "prompt_set", "prompt", "level")
_UNITS = {"1": "dimensionless"}


def number(value: Any) -> str:
    """A table cell as text: four significant digits for a float, "n/a" where there is no value."""
    if isinstance(value, float):
        if math.isnan(value):
            return "n/a"
        if math.isinf(value):
            return "infinite" if value > 0 else "-infinite"
        is_plain = value == 0 or _SMALL <= abs(value) < _LARGE
        return f"{value:.4g}" if is_plain else f"{value:.3e}"
    return "n/a" if value is None or value is pd.NA else str(value)


def describe_table(name: str, given: pd.DataFrame | Preview, text: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs of one table: its columns with unit and meaning, and its first rows as text.

    At most MAX_ROWS rows: a page of more would be too large for a browser.
    """
    preview = Preview.of(given)
    table = preview.head
    shown = table.head(min(int(text.get("rows") or MAX_ROWS), MAX_ROWS))
    known = TABLES[name].columns if name in TABLES else {}
    return {
        "name": name,
        "title": text.get("title", name),
        "about": text.get("about", ""),
        "columns": [
            {
                "name": column,
                "unit": _UNITS.get(known[column].unit, known[column].unit) if column in known else "",
                "meaning": known[column].meaning if column in known else "not described",
                "is_number": pd.api.types.is_numeric_dtype(table[column]),
            }
            for column in table.columns
        ],
        "rows": [[number(value) for value in row] for row in shown.itertuples(index=False)],
        "n_rows": preview.n_rows,
    }


def describe_conditions(conditions: pd.DataFrame) -> list[str]:
    """A sentence for each condition of table `conditions`: what it adds to the residual stream, where, how strongly."""
    steered = conditions[conditions["scale"].notna()]
    return [
        f"Condition {row.condition}: {row.adds}, times {signed(row.scale, 'g')}, at {row.layers}."
        for row in steered.itertuples()
    ]


def flagged_rows(tables: Tables) -> tuple[list[dict[str, Any]], int]:
    """Rows of any table whose status is an alarm (`is_flagged`), rows that share place and status counted together.

    The place is model, condition, prompt set, prompt, level; metrics and pairs of one place are listed in it.

    Returns:
        (entries, left): at most `MAX_FLAGGED` entries {table, place, first_layer, count, status} and how many
        more there are. The first layer is None where the table has no layers.
    """
    entries = []
    for name, table in tables.items():
        flagged = Preview.of(table).flagged
        if "status" not in flagged.columns:
            continue
        by_definition = TABLES[name].by_definition if name in TABLES else ()
        flagged = flagged[is_flagged(flagged["status"], by_definition)]
        place = [column for column in _PLACE if column in flagged.columns]
        for values, rows in flagged.groupby([*place, "status"], sort=False, dropna=False):
            first = number(rows["layer"].min()) if "layer" in rows.columns else None
            where = ", ".join(str(value) for value in values[:-1]) + _members(rows)
            entry = {"table": name, "place": where, "first_layer": first, "count": len(rows)}
            entries.append({**entry, "status": values[-1]})
    return entries[:MAX_FLAGGED], max(0, len(entries) - MAX_FLAGGED)


def _members(rows: pd.DataFrame) -> str:
    """': ec, isc' or ': ec with isc', where rows are of metrics or of pairs; of many, the first and how many more."""
    if "metric" in rows.columns:
        return ": " + ", ".join(dict.fromkeys(rows["metric"]))
    if {"x", "y"} <= set(rows.columns):
        pairs = list(dict.fromkeys(f"{x} with {y}" for x, y in zip(rows["x"], rows["y"], strict=True)))
        more = f" and {len(pairs) - MAX_PAIRS} more" if len(pairs) > MAX_PAIRS else ""
        return ": " + ", ".join(pairs[:MAX_PAIRS]) + more
    return ""


def span(counts: pd.Series) -> str:
    """'20', or '19 to 20' where counts differ; '0' for none."""
    if counts.empty:
        return "0"
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"
