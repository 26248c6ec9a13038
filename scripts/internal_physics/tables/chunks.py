"""Rows that are written and read chunk by chunk, so that no job holds a whole run in memory.

A chunk becomes one row group of a Parquet file. Chunks follow one another in the order of models, conditions, prompt
sets and prompts, so that the statistics of row groups let a reader skip groups without the rows that it needs.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from internal_physics.ground.files import whole_file
from internal_physics.tables.rows import reading

ROWS_OF_A_CHUNK = 2**16
Chunks = Iterable[tuple[str, pd.DataFrame]]  # which file, and its next rows


class FileWriter(AbstractContextManager):
    """Files that appear only when the writer is closed without an error."""

    def __init__(self) -> None:
        self._open = ExitStack()

    @abstractmethod
    def append(self, chunk: pd.DataFrame) -> None:
        """Write the next rows."""

    def __exit__(self, *error: Any) -> bool | None:
        return self._open.__exit__(*error)


class CsvWriter(FileWriter):
    """One CSV file with a header; it has none if nothing, not even an empty chunk, was appended."""

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self._path, self._header = path, True

    def __enter__(self) -> Self:
        temporary = self._open.enter_context(whole_file(self._path))
        self._file = self._open.enter_context(temporary.open("w", encoding="utf-8", newline=""))
        return self

    def append(self, chunk: pd.DataFrame) -> None:
        """Write the next rows."""
        chunk.to_csv(self._file, index=False, header=self._header, lineterminator="\n")
        self._header = False


class RowsWriter(FileWriter):
    """One Parquet file of rows between two rules, a row group per chunk; the first chunk sets the columns' types.

    Raises:
        ValueError: on closing it if nothing, not even an empty chunk, was appended.
    """

    def __init__(self, path: str | Path, to_arrow: Callable[[pd.DataFrame], pa.Table] | None = None) -> None:
        super().__init__()
        self._path, self._to_arrow = path, to_arrow or _plain_arrow
        self._file: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._temporary = self._open.enter_context(whole_file(self._path))
        return self

    def append(self, chunk: pd.DataFrame) -> None:
        """Write the next rows."""
        arrow = self._to_arrow(chunk)
        if self._file is None:
            writer = pq.ParquetWriter(self._temporary, arrow.schema, compression="zstd", write_page_checksum=True)
            self._file = self._open.enter_context(writer)
        if len(chunk):
            self._file.write_table(arrow.cast(self._file.schema), row_group_size=len(chunk))

    def __exit__(self, *error: Any) -> bool | None:
        if self._file is None and error[0] is None:
            nothing = ValueError(f"nothing was written to {self._path}")
            self._open.__exit__(type(nothing), nothing, None)
            raise nothing
        return super().__exit__(*error)


def write_row_files(chunks: Chunks, outputs: Any) -> None:
    """Write files of rows between two rules, all of them or none.

    Args:
        chunks: name of an output and its next rows, in any order of outputs.
        outputs: a rule's named outputs, or a mapping of names to paths.
    """
    write_each(chunks, {name: RowsWriter(path) for name, path in outputs.items()})


def write_chunks(chunks: Iterable[pd.DataFrame], path: str | Path) -> None:
    """Write one such file."""
    write_each((("", chunk) for chunk in chunks), {"": RowsWriter(path)})


def write_each(chunks: Chunks, writers: Mapping[str, FileWriter]) -> None:
    """Append every chunk to the writer of its name; afterwards all files are in place, or none."""
    with ExitStack() as stack:
        opened = {name: stack.enter_context(writer) for name, writer in writers.items()}
        for name, chunk in chunks:
            opened[name].append(chunk)


def coalesce(chunks: Chunks, n_rows: int = ROWS_OF_A_CHUNK) -> Iterator[tuple[str, pd.DataFrame]]:
    """The same rows in fewer chunks, of at least `n_rows` rows each; the last chunk of a file may be shorter."""
    waiting: dict[str, list[pd.DataFrame]] = {}
    for name, chunk in chunks:
        waiting.setdefault(name, []).append(chunk)
        if sum(map(len, waiting[name])) >= n_rows:
            yield name, pd.concat(waiting.pop(name), ignore_index=True)
    for name, rest in waiting.items():
        yield name, pd.concat(rest, ignore_index=True)


def read_chunks(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """The row groups of a Parquet file (all columns, or some), one after the other; one empty chunk if there is none.

    Raises:
        StoreError: naming the file, if it is missing or damaged.
    """
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.num_row_groups == 0:
            yield file.schema_arrow.empty_table().to_pandas()
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns).to_pandas()


def prompt_sets_in(paths: Iterable[str | Path]) -> list[str]:
    """Names in the column `prompt_set` of several files, in the order in which they first occur."""
    names = {
        name: None
        for path in paths
        for chunk in read_chunks(path, ["prompt_set"])
        for name in chunk["prompt_set"].unique()
    }
    return list(names)


def by_set(chunks: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows, one chunk per prompt set. A set's rows must be adjacent."""
    waiting: list[pd.DataFrame] = []
    for chunk in chunks:
        for name, rows in chunk.groupby("prompt_set", sort=False):
            if waiting and waiting[-1]["prompt_set"].iat[-1] != name:
                yield pd.concat(waiting, ignore_index=True)
                waiting = []
            waiting.append(rows)
    if waiting:
        yield pd.concat(waiting, ignore_index=True)


def _plain_arrow(chunk: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(chunk, preserve_index=False)
