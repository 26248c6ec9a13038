"""Preview of a large table: its first rows and all flagged rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from internal_physics.ground.status import OK
from internal_physics.tables.chunks import read_chunks
from internal_physics.tables.conform import conform
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import count_rows
from internal_physics.tables.table import Table

_PROMPT = ["prompt_set", "prompt"]


@dataclass(frozen=True)
class Preview:
    """What the report needs of a table.

    Attributes:
        head: its first rows.
        flagged: all rows whose status is not "ok".
        n_rows: how many rows it has.
        n_prompts: how many different prompts table `prompts` has; 0 for the others.
    """

    head: pd.DataFrame
    flagged: pd.DataFrame
    n_rows: int
    n_prompts: int = 0

    @classmethod
    def of(cls, table: "pd.DataFrame | Preview") -> "Preview":
        """Of a table in memory; a preview stays as it is."""
        if isinstance(table, Preview):
            return table
        flagged = table[table["status"] != OK] if "status" in table else table.iloc[:0]
        n_prompts = len(table[_PROMPT].drop_duplicates()) if set(_PROMPT) <= set(table) else 0
        return cls(table, flagged, len(table), n_prompts)


def is_flagged(status: pd.Series, by_definition: Sequence[str] = ()) -> pd.Series:
    """Whether the status of a row is an alarm: neither "ok" nor one of `Table.by_definition`; an empty one is."""
    return ~status.isin([OK, *by_definition])


def read_previews(
    inputs: Any, tables: Mapping[str, Table], whole: Collection[str], n_rows: int
) -> dict[str, pd.DataFrame | Preview]:
    """Read every table among a rule's named inputs; of one with more rows than `n_rows`, its preview.

    Args:
        inputs: a rule's named inputs, or a mapping of names to paths.
        tables: descriptions by name.
        whole: names of those that are read whole, whatever their size.
        n_rows: rows of a preview.
    """
    named = dict(inputs.items())
    return {
        name: read_table(named[name], table)
        if name in whole or count_rows(named[name]) <= n_rows
        else _preview(named[name], table, n_rows)
        for name, table in tables.items()
        if name in named
    }


def count_flagged(path: str | Path, by_definition: Sequence[str] = ()) -> int:
    """Rows of a table's Parquet file whose status is an alarm (`is_flagged`).

    Raises:
        StoreError: naming the file that cannot be read.
    """
    return sum(int(is_flagged(chunk["status"], by_definition).sum()) for chunk in read_chunks(path, ["status"]))


def _preview(path: str | Path, table: Table, n_rows: int) -> Preview:
    first: list[pd.DataFrame] = []
    for chunk in read_chunks(path):
        first.append(chunk.head(n_rows - sum(map(len, first))))
        if sum(map(len, first)) >= n_rows:
            break
    flagged = read_table(path, table, (pc.field("status") != OK) | pc.field("status").is_null())
    n_prompts = _count_prompts(path) if table.name == "prompts" else 0
    return Preview(conform(pd.concat(first, ignore_index=True), table), flagged, count_rows(path), n_prompts)


def _count_prompts(path: str | Path) -> int:
    pairs = (zip(*map(chunk.get, _PROMPT), strict=True) for chunk in read_chunks(path, _PROMPT))
    return len({pair for of_chunk in pairs for pair in of_chunk})
