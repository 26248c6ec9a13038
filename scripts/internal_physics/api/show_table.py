"""`show` of a table: Parquet or CSV, of the workflow or of anyone else."""

import csv
import re
from collections.abc import Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.api.lab_tables import lab_tables
from internal_physics.api.shown import N_ROWS, Described, Part, Shown, reading, run_provenance
from internal_physics.families.registry import FAMILIES, FOLDER, METRICS, TABLES
from internal_physics.ground.status import OK
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.report.texts import words_file
from internal_physics.tables.columns import Column
from internal_physics.tables.metric_rows import MetricRow
from internal_physics.tables.table import Table

N_NAMES = 40  # of quantities that are listed
FEW_ROWS = 5_000_000  # statuses of more rows are not counted


def show_parquet(path: Path) -> Shown:
    """Explain a Parquet file that is no record.

    Raises:
        StoreError: if it is damaged.
    """
    with reading(path):
        with pq.ParquetFile(path) as file:
            schema, n_rows = file.schema_arrow, file.metadata.num_rows
            batch = next(file.iter_batches(batch_size=N_ROWS), None)
            preview = batch.to_pylist() if batch is not None else []
        statuses = _statuses(path, schema, n_rows)
    table = _table_of(path, schema.names)
    columns = [_described(field, table) for field in schema]
    return _shown(path, table, columns, preview=preview, n_rows=n_rows, statuses=statuses)


def show_csv(path: Path) -> Shown:
    """Explain a CSV table.

    Raises:
        StoreError: if it is damaged.
    """
    with reading(path), path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        names = list(rows.fieldnames or [])
        preview = list(islice(rows, N_ROWS))
        statuses: dict[str, int] = {}
        n_rows = 0
        for row in (*preview, *rows):
            n_rows += 1
            if "status" in names:
                statuses[str(row["status"])] = statuses.get(str(row["status"]), 0) + 1
    table = _table_of(path, names)
    columns = [_of_column(name, table.columns[name] if table else _shared().get(name)) for name in names]
    return _shown(path, table, columns, preview=preview, n_rows=n_rows, statuses=statuses)


def _shown(
    path: Path,
    table: Table | None,
    columns: list[Described],
    *,
    preview: list[Any],
    n_rows: int,
    statuses: Mapping[str, int],
) -> Shown:
    what, about = _about(path, table)
    facts = {"one row per": ", ".join(table.key)} if table else {}
    rows = [{"rows": count, "status": status} for status, count in sorted(statuses.items(), key=lambda one: -one[1])]
    parts = [Part("Statuses", rows)] if set(statuses) - {OK} else []
    if table and table.quantities:
        quantities = [
            {"quantity": f"{q.name}…" if q.is_prefix else q.name, "unit": q.unit or "1", "metric": q.metric}
            for q in table.quantities
        ]
        parts.append(Part(f"Quantities, in column {table.quantity_column}", quantities[:N_NAMES]))
    return Shown(
        what,
        str(path),
        about,
        facts,
        columns=columns,
        preview=preview,
        n_rows=n_rows,
        parts=parts,
        provenance=run_provenance(path),
    )


def _table_of(path: Path, names: list[str]) -> Table | None:
    """The table of the workflow that a file is: it has its name and all of its columns."""
    table = TABLES.get(path.stem) or lab_tables().get(path.stem, (None, ""))[0]
    return table if table is not None and set(table.columns) == set(names) else None


def _about(path: Path, table: Table | None) -> tuple[str, str]:
    if table is not None:
        return f"table {table.name}", _words_of(table.name)
    metric = next((METRICS[part.name] for part in path.parents if part.name in METRICS), None)
    if metric is not None:
        return "metric rows", f"The rows of metric {metric.name} ({metric.title}) of one model and condition."
    if path.parent.name == "weights":
        return "spectra", "The singular spectrum of every weight of one model, and what follows from it."
    return (
        "Parquet table" if path.suffix == ".parquet" else "CSV table",
        "A table that this workflow does not describe.",
    )


def _words_of(name: str) -> str:
    """What a table is about, from the words of its family, or of its experiment in the lab."""
    if name in lab_tables():
        return lab_tables()[name][1]
    family = next(family for family in FAMILIES if any(table.name == name for table in family.tables))
    about = load_yaml(words_file(family, FOLDER)).get("tables", {}).get(name, {}).get("about", "")
    return " ".join(about.split())


def _described(field: pa.Field, table: Table | None) -> Described:
    """A column, by the file's own words, else by those of the table, else by those that all tables share."""
    said = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    if said.get("meaning"):
        return Described(field.name, _type_of(field), said.get("unit", ""), said["meaning"])
    known = table.columns[field.name] if table else _shared().get(field.name)
    meaning = known.meaning if known else _of_metric_rows().get(field.name, "")
    return Described(field.name, _type_of(field), known.unit if known else "", meaning)


def _of_column(name: str, column: Column | None) -> Described:
    return Described(name, column.dtype, column.unit, column.meaning) if column else Described(name, "text", "", "")


def _type_of(field: pa.Field) -> str:
    return "text" if pa.types.is_string(field.type) or pa.types.is_large_string(field.type) else str(field.type)


@cache
def _of_metric_rows() -> dict[str, str]:
    """Meaning of the columns that every metric's rows have, from their description."""
    return dict(re.findall(r"^        (\w+): (.+)$", MetricRow.__doc__ or "", re.MULTILINE))


@cache
def _shared() -> dict[str, Column]:
    """Columns that mean the same in every table that has them."""
    found: dict[str, set[tuple[str, str]]] = {}
    known = {}
    for table in TABLES.values():
        for name, column in table.columns.items():
            found.setdefault(name, set()).add((column.unit, column.meaning))
            known[name] = column
    return {name: known[name] for name, described in found.items() if len(described) == 1}


def _statuses(path: Path, schema: pa.Schema, n_rows: int) -> dict[str, int]:
    """Status → rows; empty without such a column, and for very large tables."""
    if "status" not in schema.names or n_rows > FEW_ROWS:
        return {}
    counted: dict[str, int] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["status"]):
            for one in batch.column(0).value_counts().to_pylist():
                counted[str(one["values"])] = counted.get(str(one["values"]), 0) + one["counts"]
    return counted
