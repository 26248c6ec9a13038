"""Reading a table: whole, in parts that fit in memory, or one prompt set at a time."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc

from internal_physics.ground.errors import StoreError
from internal_physics.tables.chunks import read_chunks
from internal_physics.tables.conform import conform
from internal_physics.tables.keys import SET_KEY
from internal_physics.tables.rows import Filters, count_rows, read_frame, reading
from internal_physics.tables.table import Table

CELLS_OF_A_PART = 2_000_000


def read_table(
    path: str | Path, table: Table, filters: Filters = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table from Parquet, checking its columns.

    Args:
        path: of its Parquet file.
        table: its description.
        filters: which rows; all if not given.
        columns: which columns; all if not given.

    Raises:
        StoreError: if the file is missing, damaged or of other columns; the error names it.
    """
    rows = read_frame(path, filters, columns)
    with reading(path):
        return conform(rows, table) if columns is None else rows.astype({c: table.types[c] for c in columns})


def read_table_csv(path: str | Path, table: Table) -> pd.DataFrame:
    """Read a table from CSV: the same as from Parquet, also where a name or a token is nan, null, TRUE, 007 or 1e3.

    CSV has no types, and pandas' defaults take these for missing values, truth values and numbers. Only an empty cell
    is a missing value.

    Raises:
        StoreError: if the file is missing, damaged or of other columns; the error names it.
    """
    with reading(path):
        return conform(pd.read_csv(path, dtype=table.types, keep_default_na=False, na_values=[""]), table)


def table_parts(
    path: str | Path, table: Table, by: Sequence[str] = tuple(SET_KEY), n_rows: int | None = None
) -> Iterator[pd.DataFrame]:
    """A table in parts of about `n_rows` rows (by default, two million cells); a small table is a single part.

    Rows that agree in the columns `by` (those that the table has) are in one part, however many there are.

    Raises:
        StoreError: naming the file that cannot be read, or in which a row lacks one of these columns' values.
    """
    n_rows = CELLS_OF_A_PART // len(table.columns) if n_rows is None else n_rows
    by = [column for column in by if column in table.columns]
    if count_rows(path) <= n_rows or not by:
        yield read_table(path, table)
        return
    for keys in _bundles(_group_sizes(path, by), n_rows):
        yield read_table(path, table, [[(c, "=", v) for c, v in zip(by, key, strict=True)] for key in keys])


class TableBySet:
    """A table on disk, read one prompt set at a time.

    Args:
        path: of its Parquet file.
        table: its description.
        filters: which of its rows; all if not given.
        columns: which of its columns, likewise; always those of `SET_KEY`.
    """

    def __init__(
        self,
        path: str | Path,
        table: Table,
        filters: pc.Expression | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._path, self._types, self._filters = path, table.types, filters
        self._columns = None if columns is None else list(dict.fromkeys([*SET_KEY, *columns]))
        places = (chunk.drop_duplicates() for chunk in read_chunks(path, ["model", "prompt_set"]))
        self.places = pd.concat(places, ignore_index=True).drop_duplicates()

    def of_set(self, prompt_set: str) -> pd.DataFrame:
        """The rows of one prompt set."""
        wanted = pc.field("prompt_set") == prompt_set
        wanted = wanted if self._filters is None else wanted & self._filters
        rows = read_frame(self._path, wanted, self._columns)
        return rows.astype({column: self._types[column] for column in rows})


def _group_sizes(path: str | Path, by: Sequence[str]) -> dict[tuple, int]:
    """Rows of every group, in the order in which groups first occur."""
    sizes: dict[tuple, int] = {}
    for chunk in read_chunks(path, by):
        for key, size in chunk.value_counts(sort=False).items():
            sizes[key] = sizes.get(key, 0) + int(size)
    if (n_keyless := count_rows(path) - sum(sizes.values())) > 0:
        raise StoreError(
            f"{n_keyless} rows have no value in one of {list(by)}", where=str(path), todo="delete it and run again"
        )
    return sizes


def _bundles(sizes: Mapping[tuple, int], n_rows: int) -> Iterator[list[tuple]]:
    """Groups in order, as many together as have no more than `n_rows` rows; a larger one is alone."""
    bundle: list[tuple] = []
    n_bundled = 0
    for key, size in sizes.items():
        if bundle and n_bundled + size > n_rows:
            yield bundle
            bundle, n_bundled = [], 0
        bundle.append(key)
        n_bundled += size
    if bundle:
        yield bundle
