"""Writing a table as CSV and as Parquet with the same columns; Parquet fields carry unit and meaning as metadata."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.ground.files import whole_file
from internal_physics.tables.chunks import Chunks, CsvWriter, FileWriter, RowsWriter, write_each
from internal_physics.tables.conform import conform
from internal_physics.tables.table import Table


def write_table(frame: pd.DataFrame, table: Table, *, csv: str | Path, parquet: str | Path) -> None:
    """Write one table.

    Raises:
        StoreError: if the frame has other columns; then neither file is written.
    """
    frame = conform(frame, table)
    with whole_file(csv) as temporary:
        frame.to_csv(temporary, index=False)
    with whole_file(parquet) as temporary:
        pq.write_table(to_arrow(frame, table), temporary, compression="zstd", write_page_checksum=True)


class TableWriter(FileWriter):
    """One table, written chunk by chunk; it has its columns even if nothing was appended.

    Raises:
        StoreError: from `append`, for a chunk of other columns; then neither file is written.
    """

    def __init__(self, table: Table, *, csv: str | Path, parquet: str | Path) -> None:
        super().__init__()
        self._table, self._paths = table, (csv, parquet)

    def __enter__(self) -> Self:
        csv, parquet = self._paths
        self._csv = self._open.enter_context(CsvWriter(csv))
        self._parquet = self._open.enter_context(RowsWriter(parquet, lambda chunk: to_arrow(chunk, self._table)))
        self.append(pd.DataFrame(columns=list(self._table.columns)))
        return self

    def append(self, chunk: pd.DataFrame) -> None:
        """Write the next rows."""
        rows = conform(chunk, self._table)
        self._csv.append(rows)
        self._parquet.append(rows)


def write_tables(chunks: Chunks, outputs: Any, tables: Iterable[Table]) -> None:
    """Write tables, all of them or none.

    Args:
        chunks: table name and next rows, in any order of tables.
        outputs: a rule's named outputs, or a mapping; {name}_csv and {name}_parquet of each table.
        tables: their descriptions.
    """
    files = dict(outputs.items())
    writers = {t.name: TableWriter(t, csv=files[f"{t.name}_csv"], parquet=files[f"{t.name}_parquet"]) for t in tables}
    write_each(chunks, writers)


def to_arrow(frame: pd.DataFrame, table: Table) -> pa.Table:
    """A conforming frame with unit and meaning in the metadata of each field."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    for i, (name, column) in enumerate(table.columns.items()):
        described = arrow.field(name).with_metadata({"unit": column.unit, "meaning": column.meaning})
        arrow = arrow.set_column(i, described, arrow.column(name))
    return arrow
