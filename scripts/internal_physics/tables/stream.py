"""Tables and rows that are written and read piece by piece, so that no job holds a whole run in memory.

A piece becomes one row group of a Parquet file. Pieces follow one another in the order of models, conditions, prompt
sets and prompts, so that the statistics of row groups let a reader skip those that hold nothing of what it asks for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.ground.files import whole_file
from internal_physics.tables.contract import TABLES, conform, reading, to_arrow

ROWS_OF_A_PIECE = 2**16
Pieces = Iterable[tuple[str, pd.DataFrame]]  # which file, and its next rows


class _Writer(AbstractContextManager):
    """Something with an `append`, whose files are in place after it was left without an error, and not before."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __exit__(self, *error: object) -> bool | None:
        return self._open.__exit__(*error)


class CsvWriter(_Writer):
    """One CSV file with a header; it has none if nothing, not even an empty piece, was appended."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._path, self._header = path, True

    def __enter__(self) -> Self:
        temporary = self._open.enter_context(whole_file(self._path))
        self._file = self._open.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        return self

    def append(self, piece: pd.DataFrame) -> None:
        """Write the next rows."""
        piece.to_csv(self._file, index=False, header=self._header, lineterminator="\n")
        self._header = False


class RowsWriter(_Writer):
    """One Parquet file of rows between two rules, a row group per piece; the first piece sets the columns' types.

    Raises:
        ValueError: on leaving it if nothing, not even an empty piece, was appended.
    """

    def __init__(self, path: str | Path, to_arrow: Callable[[pd.DataFrame], pa.Table] | None = None) -> None:
        super().__init__()
        self._path, self._to_arrow, self._file = path, to_arrow or _plain_arrow, None

    def __enter__(self) -> Self:
        self._temporary = self._open.enter_context(whole_file(self._path))
        return self

    def append(self, piece: pd.DataFrame) -> None:
        """Write the next rows."""
        arrow = self._to_arrow(piece)
        if self._file is None:
            writer = pq.ParquetWriter(self._temporary, arrow.schema, compression="zstd")
            self._file = self._open.enter_context(writer)
        if len(piece):
            self._file.write_table(arrow.cast(self._file.schema), row_group_size=len(piece))

    def __exit__(self, *error: object) -> bool | None:
        if self._file is None and error[0] is None:
            nothing = ValueError(f"nothing was written to {self._path}")
            self._open.__exit__(type(nothing), nothing, None)
            raise nothing
        return super().__exit__(*error)


class TableWriter(_Writer):
    """One table of the contract as CSV and Parquet; it has its columns even if nothing was appended.

    Raises:
        StoreError: from `append`, for a piece of other columns; then neither file is written.
    """

    def __init__(self, name: str, *, csv: str | Path, parquet: str | Path) -> None:
        super().__init__()
        self._name, self._paths = name, (csv, parquet)

    def __enter__(self) -> Self:
        csv, parquet = self._paths
        self._csv = self._open.enter_context(CsvWriter(csv))
        self._parquet = self._open.enter_context(RowsWriter(parquet, lambda piece: to_arrow(piece, self._name)))
        self.append(pd.DataFrame(columns=list(TABLES[self._name])))
        return self

    def append(self, piece: pd.DataFrame) -> None:
        """Write the next rows."""
        rows = conform(piece, self._name)
        self._csv.append(rows)
        self._parquet.append(rows)


def write_tables(pieces: Pieces, outputs: Any) -> None:
    """Write tables of the contract from pieces that come in any order of tables; all of them or none.

    Args:
        pieces: table name and next rows.
        outputs: a rule's named outputs, {name}_csv and {name}_parquet of each table.
    """
    files = dict(outputs.items())
    names = [key.removesuffix("_csv") for key in files if key.endswith("_csv")]
    _write(
        pieces, {name: TableWriter(name, csv=files[f"{name}_csv"], parquet=files[f"{name}_parquet"]) for name in names}
    )


def write_row_files(pieces: Pieces, outputs: Any) -> None:
    """The same for files of rows between two rules, named as the outputs are."""
    _write(pieces, {name: RowsWriter(path) for name, path in outputs.items()})


def write_pieces(pieces: Iterable[pd.DataFrame], path: str | Path) -> None:
    """Write one such file."""
    _write((("", piece) for piece in pieces), {"": RowsWriter(path)})


def _write(pieces: Pieces, writers: Mapping[str, TableWriter | RowsWriter]) -> None:
    with ExitStack() as stack:
        opened = {name: stack.enter_context(writer) for name, writer in writers.items()}
        for name, piece in pieces:
            opened[name].append(piece)


def coalesce(pieces: Pieces, n_rows: int = ROWS_OF_A_PIECE) -> Iterator[tuple[str, pd.DataFrame]]:
    """The same rows in fewer pieces, of at least so many rows each but for the last of every file."""
    waiting: dict[str, list[pd.DataFrame]] = {}
    for name, piece in pieces:
        waiting.setdefault(name, []).append(piece)
        if sum(map(len, waiting[name])) >= n_rows:
            yield name, pd.concat(waiting.pop(name), ignore_index=True)
    for name, rest in waiting.items():
        yield name, pd.concat(rest, ignore_index=True)


def read_pieces(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The row groups of a Parquet file (all columns, or some), one after the other; one empty piece if there is none.

    Raises:
        StoreError: naming the file, if it is missing or damaged.
    """
    with reading(path), pq.ParquetFile(path) as file:
        if file.num_row_groups == 0:
            yield file.schema_arrow.empty_table().to_pandas()
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns).to_pandas()


def prompt_sets_in(paths: Iterable[str | Path]) -> list[str]:
    """Names in the column `prompt_set` of several files, in the order in which they come first."""
    found = {
        name: None
        for path in paths
        for piece in read_pieces(path, ["prompt_set"])
        for name in piece["prompt_set"].unique()
    }
    return list(found)


def by_set(pieces: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows cut anew, a piece per prompt set. A set's rows are adjacent."""
    waiting: list[pd.DataFrame] = []
    for piece in pieces:
        for name, rows in piece.groupby("prompt_set", sort=False):
            if waiting and waiting[-1]["prompt_set"].iat[-1] != name:
                yield pd.concat(waiting, ignore_index=True)
                waiting = []
            waiting.append(rows)
    if waiting:
        yield pd.concat(waiting, ignore_index=True)


def _plain_arrow(piece: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(piece, preserve_index=False)
