"""Parts of the families' pages: metrics, tables and figures, from family.py, words.yaml and the tables' columns."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, StrictUndefined

from internal_physics.docs.markdown import code, codes, table
from internal_physics.families.family import (
    CHECKPOINTS,
    CONDITIONS,
    FACTORS,
    JACOBIANS,
    SEVERAL,
    SKETCHES,
    WATCH,
    Family,
    Figure,
    Needs,
    Per,
)
from internal_physics.families.registry import FAMILIES, FOLDER, TABLES
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.report.texts import words_file
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.columns import OF_PROMPT, PLAIN, STATUS, Column
from internal_physics.tables.table import Table

# A page describes no single run: its captions use general words for the names in a report.
_ANY_RUN = {
    Per.PROMPT_SET: {"prompt_set": "a prompt set"},
    Per.STEERED_SET: {"prompt_set": "a steered prompt set"},
    Per.COMPARED_SET: {"prompt_set": "a prompt set"},
    Per.MODEL: {"model": "a model"},
    Per.RUN: {},
}
_CAPTION = {"shows": "Shows", "reading": "How to read it", "computed": "How it is computed"}
_PLACES = {
    Per.PROMPT_SET: "{prompt set}",
    Per.STEERED_SET: "{prompt set}",
    Per.COMPARED_SET: "{prompt set}",
    Per.MODEL: "{model}",
    Per.RUN: "",
}
_FEATURES = {
    CONDITIONS: "`conditions`",
    WATCH: "`information.watch`",
    JACOBIANS: "`jacobian.prompts`",
    SEVERAL: "several `models` of one task",
    CHECKPOINTS: "several checkpoints of one training",
    FACTORS: "`weight_gradients: factors`",
    SKETCHES: "`weight_gradients: sketch`",
}


def metrics(family: str) -> str:
    """A family's metrics: how each is computed, what it measures, and what low and high values mean."""
    described = _words(family).get("metrics", {})
    if not described:
        return table(["metric", "of"], ((code(m.name), m.title) for m in _family(family).metrics))
    rows = [(f"**{name.upper()}**", text["measures"], text["low"], text["high"]) for name, text in described.items()]
    computed = [
        f"- **{name.upper()}** ({text['axis']}; {text['unit']}): {' '.join(text['computed'].split())}\n"
        for name, text in described.items()
    ]
    return "".join(computed) + "\n" + table(["metric", "measures", "low", "high"], rows)


def notes(name: str) -> str:
    """What the report says of a family: its introduction and notes."""
    section = _words(name)["section"]
    return "\n\n".join(" ".join(text.split()) for text in [section["intro"], *section.get("notes", [])]) + "\n"


def tables(name: str) -> str:
    """The tables of a family: what a row is, when the table is made, and its columns."""
    return "\n".join(_table(described, needs, _words(name)) for described, needs in _family(name).tables.items())


def all_tables() -> str:
    """One line for each table of all families, linked to its columns on the page of its family."""
    rows = []
    for family in FAMILIES:
        page = f"families/{PAGES[family.name]}"
        for described, needs in family.tables.items():
            about = _words(family.name)["tables"].get(described.name, {}).get("about", "")
            rows.append((f"[`{described.name}`]({page}#table-{anchor(described.name)})", about, _when(needs)))
    return table(["table", "what it holds", "made"], rows)


def shared_columns() -> str:
    """The columns that most tables share."""
    shared = {**OF_PROMPT, "status": STATUS}
    return _columns(shared)


def all_units() -> str:
    """Every column that has a unit, once for each unit, with the tables that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for described in TABLES.values():
        for name, column in described.columns.items():
            if column.unit:
                found.setdefault((name, column.unit), []).append(described.name)
    rows = ((code(name), unit, codes(tables_with)) for (name, unit), tables_with in sorted(found.items()))
    return table(["column", "unit", "in tables"], rows)


def all_quantities() -> str:
    """Every quantity and metric of the long tables, with its unit and the tables that have it."""
    found: dict[tuple[str, str], list[str]] = {}
    for described in TABLES.values():
        for q in described.quantities:
            name = f"{q.name}…" if q.is_prefix else q.name
            found.setdefault((name, q.unit or PLAIN), []).append(described.name)
    rows = ((code(name), unit, codes(tables_with)) for (name, unit), tables_with in sorted(found.items()))
    return table(["quantity", "unit", "in tables"], rows)


def figures(name: str) -> str:
    """The figures of a family: what each shows, how to read it, how it is computed."""
    return "\n".join(_figure(f, _words(name).get("figures", {})) for f in _family(name).figures) or "None.\n"


def anchor(name: str) -> str:
    """The end of a link to a heading that is a name in the font of code."""
    return name.lower()


# The page of each family in docs/families.
PAGES = {family.name: f"{family.name}.md" for family in FAMILIES}


def makers() -> dict[str, Callable[..., str]]:
    """The makers of the families' pages; each takes the name of a family."""
    return {
        "family-metrics": metrics,
        "family-notes": notes,
        "family-tables": tables,
        "family-figures": figures,
        "all-tables": all_tables,
        "shared-columns": shared_columns,
        "all-units": all_units,
        "all-quantities": all_quantities,
    }


def _table(described: Table, needs: Needs, words: Mapping[str, Any]) -> str:
    about = " ".join(words["tables"].get(described.name, {}).get("about", "").split())
    key = f"One row per {_and(map(code, described.key))}."
    head = f"### Table `{described.name}`\n\n{about} {key} Made {_when(needs)}.\n\n"
    return head + _columns(described.columns) + _quantities(TABLES[described.name])


def _columns(columns: Mapping[str, Column]) -> str:
    rows = (
        (code(name), column.dtype, column.unit, _values(column), column.meaning) for name, column in columns.items()
    )
    return table(["column", "type", "unit", "values", "meaning"], rows)


def _values(column: Column) -> str:
    """The range or the texts that a column is checked for."""
    return codes(column.allowed) if column.allowed else _range(column.low, column.high)


def _range(low: float | None, high: float | None) -> str:
    has_low, has_high = low not in (None, -math.inf), high not in (None, math.inf)
    if has_low and has_high:
        return f"{low:g} to {high:g}"
    return f"≥ {low:g}" if has_low else f"≤ {high:g}" if has_high else ""


def _quantities(described: Table) -> str:
    """Quantities of a long table with the ranges of their values; "" for any other table."""
    if not described.quantities:
        return ""
    listed = []
    for quantity in described.quantities:
        facts = "; ".join(text for text in (quantity.unit, _range(quantity.low, quantity.high)) if text)
        name = code(f"{quantity.name}…" if quantity.is_prefix else quantity.name)
        listed.append(f"{name} ({facts})" if facts else name)
    return f"\nIts quantities, in column {code(described.quantity_column)}: {', '.join(listed)}.\n"


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _figure(figure: Figure, captions: Mapping[str, Mapping[str, str]]) -> str:
    where = _PLACES[figure.per]
    files = f"`results/figures/{figure.name}{'-' if where else ''}{where}.png` and `.svg`"
    context = _ANY_RUN[figure.per] | {"confidence_percent": _confidence_percent(), "n_models": "all"}
    caption = {part: _fill(captions[figure.name].get(part, ""), context) for part in ("title", *_CAPTION)}
    lines = [f"**{title}.** {caption[part]}" for part, title in _CAPTION.items() if caption[part]]
    head = f"### Figure `{figure.name}`\n\n*{caption['title']}.* {files}, made {_when(figure.needs)}.\n\n"
    return head + "\n\n".join(lines) + "\n"


def _fill(text: str, context: Mapping[str, str]) -> str:
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    return " ".join(environment.from_string(text).render(context).split())


def _when(needs: Needs) -> str:
    """Words for `needs`: "always", or "with EC, ISC or ISA, and with `conditions`"."""
    return "with " + ", and with ".join(_any_of(group) for group in needs) if needs else "always"


def _any_of(group: tuple[str, ...]) -> str:
    names = [_FEATURES.get(name, code(name)) for name in group]
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _confidence_percent() -> str:
    """As it is by default."""
    return f"{100 * CONFIDENCE_LEVEL:g}"


def _family(name: str) -> Family:
    (family,) = (family for family in FAMILIES if family.name == name)
    return family


@lru_cache
def _words(name: str) -> Mapping[str, Any]:
    return load_yaml(words_file(_family(name), FOLDER))
