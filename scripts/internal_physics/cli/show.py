"""Command `show`: what a file or folder is, and what it holds."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from internal_physics.cli.answer import Answer
from internal_physics.cli.layout import Block, Column, Grid, Heading, Text, number, quoted
from internal_physics.ground.words import plural

HELP = "explain a record, a table, a snapshot, findings, a config or a folder of results"
_PROSE = ("sentence", "meaning")  # keys whose texts are long


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its arguments."""
    parser.add_argument("path", metavar="FILE", help="a file or a folder")


def answer(given: argparse.Namespace) -> Answer:
    """Find out what the file is, and describe it.

    Raises:
        UserError: if it does not exist, is damaged, or is of no known kind.
    """
    from internal_physics.api.show_file import show  # noqa: PLC0415

    found = show(given.path).to_dict()
    return Answer(found, document(found))


def document(found: Mapping[str, Any]) -> list[Block]:
    """A description (`api.shown.Shown.to_dict`) as paragraphs and tables."""
    said: list[Block] = [Heading(f"{found['path']}: {found['what']}"), Text(found["about"])]
    if found["facts"]:
        said += [Heading("Facts"), *_facts(found["facts"])]
    if found["columns"]:
        said += [Heading("Columns", f"{found['n_rows']} rows"), *map(_column, found["columns"])]
    if found["preview"]:
        said += [Heading("First rows", "each a column here"), _preview(found["preview"])]
    for part in found["parts"]:
        if part["rows"]:
            said += [Heading(part["title"], part["remark"]), *_rows(part["rows"])]
    return [*said, Heading("Provenance"), *_facts(found["provenance"])] if found["provenance"] else said


def _facts(facts: Mapping[str, Any]) -> list[Block]:
    return [Text(f"{name}: {_value(value)}", hanging=2) for name, value in facts.items()]


def _column(column: Mapping[str, str]) -> Block:
    unit = f" [{column['unit']}]" if column["unit"] else ""
    return Text(f"{column['name']}{unit}: {column['meaning'] or column['type']}", hanging=4)


def _preview(rows: Sequence[Mapping[str, Any]]) -> Block:
    columns = [Column("column", shrinks=True), *(Column(f"row {i}", shrinks=True) for i in range(1, len(rows) + 1))]
    return Grid(columns, [[name, *(_value(row[name]) for row in rows)] for name in rows[0]])


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    """A table; where a row has prose, a paragraph for each row instead."""
    prose = [key for key in _PROSE if key in rows[0]]
    if prose:
        return [_paragraph(row, prose[0]) for row in rows]
    columns = [Column(key, right=_is_number(rows[0][key]), shrinks=isinstance(rows[0][key], str)) for key in rows[0]]
    return [Grid(columns, [[_value(row[key], key) for key in row] for row in rows])]


def _paragraph(row: Mapping[str, Any], prose: str) -> Block:
    head = ", ".join(_value(row[key]) for key in row if key != prose and key in ("where", "quantity", "value"))
    counted = f" ({plural(row['tensors'], 'tensor')})" if "tensors" in row else ""
    return Text(f"- {row[prose]}" if prose == "sentence" else f"{head}{counted}: {row[prose]}", hanging=4)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(value: Any, key: str = "") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if key == "token":
        return quoted(str(value))
    text = "" if value is None else " ".join(str(value).split("\n"))
    return text if len(text) <= 400 else f"{text[:400]}…"
