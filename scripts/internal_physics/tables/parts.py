"""Tables read in parts or excerpts, for those who need not hold a whole one: checks, figures, report."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from internal_physics.ground.errors import StoreError
from internal_physics.tables.columns import KEYS
from internal_physics.tables.contract import TABLES, conform, read_table, reading
from internal_physics.tables.stream import read_pieces

CELLS_OF_A_PART = 2_000_000
_PROMPT = ["prompt_set", "prompt"]


def table_parts(
    path: str | Path, name: str, by: Sequence[str] = tuple(KEYS), n_rows: int | None = None
) -> Iterator[pd.DataFrame]:
    """A table of the contract in parts of about `n_rows` rows (else two million cells); a small one is a single part.

    Rows that agree in the columns `by` (those that the table has) are in one part, however many they are.

    Raises:
        StoreError: naming the file that cannot be read, or in which a row lacks one of these columns' values.
    """
    n_rows = CELLS_OF_A_PART // len(TABLES[name]) if n_rows is None else n_rows
    by = [column for column in by if column in TABLES[name]]
    if count_rows(path) <= n_rows or not by:
        yield read_table(path, name)
        return
    counts: dict[tuple, int] = {}
    for piece in read_pieces(path, by):
        for key, size in piece.value_counts(sort=False).items():
            counts[key] = counts.get(key, 0) + int(size)
    if (n_keyless := count_rows(path) - sum(counts.values())) > 0:
        raise StoreError(
            f"{n_keyless} rows have no value in one of {by}", where=str(path), todo="delete it and run again"
        )
    for keys in _bundles(counts, n_rows):
        yield conform(_filtered(path, [[(c, "=", v) for c, v in zip(by, key, strict=True)] for key in keys]), name)


def count_rows(path: str | Path) -> int:
    """Rows of a Parquet file, from its footer.

    Raises:
        StoreError: naming the file that cannot be read.
    """
    with reading(path):
        return pq.read_metadata(path).num_rows


class TableBySet:
    """A table of the contract on disk, read one prompt set at a time.

    Args:
        path: of its Parquet file.
        name: of the table.
        filters: which of its rows, all where it is not given.
        columns: which of its columns, likewise; always those of `KEYS`.
    """

    def __init__(
        self,
        path: str | Path,
        name: str,
        filters: pc.Expression | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self._path, self._filters = path, filters
        self._columns = None if columns is None else list(dict.fromkeys([*KEYS, *columns]))
        self._types = {column: spec.dtype for column, spec in TABLES[name].items()}
        found = (piece.drop_duplicates() for piece in read_pieces(path, ["model", "prompt_set"]))
        self.places = pd.concat(found, ignore_index=True).drop_duplicates()

    def of_set(self, prompt_set: str) -> pd.DataFrame:
        """The rows of one prompt set."""
        wanted = pc.field("prompt_set") == prompt_set
        wanted = wanted if self._filters is None else wanted & self._filters
        rows = _filtered(self._path, wanted, self._columns)
        return rows.astype({column: self._types[column] for column in rows})


@dataclass(frozen=True)
class Excerpt:
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
    def of(cls, table: "pd.DataFrame | Excerpt") -> "Excerpt":
        """Of a table in memory; an excerpt stays as it is."""
        if isinstance(table, Excerpt):
            return table
        flagged = table[table["status"] != "ok"] if "status" in table else table.iloc[:0]
        n_prompts = len(table[_PROMPT].drop_duplicates()) if set(_PROMPT) <= set(table) else 0
        return cls(table, flagged, len(table), n_prompts)


def read_excerpts(inputs: Any, whole: Collection[str], n_rows: int) -> dict[str, "pd.DataFrame | Excerpt"]:
    """Every table of the contract among a rule's named inputs: its excerpt where it has more rows than `n_rows`.

    Those in `whole` are read as they are, whatever their size.
    """
    paths = {name: inputs[name] for name in TABLES if name in inputs.keys()}  # noqa: SIM118
    return {
        name: read_table(path, name) if name in whole or count_rows(path) <= n_rows else _excerpt(path, name, n_rows)
        for name, path in paths.items()
    }


def _excerpt(path: str | Path, name: str, n_rows: int) -> Excerpt:
    first: list[pd.DataFrame] = []
    for piece in read_pieces(path):
        first.append(piece.head(n_rows - sum(map(len, first))))
        if sum(map(len, first)) >= n_rows:
            break
    flagged = _filtered(path, (pc.field("status") != "ok") | pc.field("status").is_null())
    head, n_prompts = conform(pd.concat(first, ignore_index=True), name), 0
    if name == "prompts":
        n_prompts = len(
            {pair for piece in read_pieces(path, _PROMPT) for pair in zip(*map(piece.get, _PROMPT), strict=True)}
        )
    return Excerpt(head, conform(flagged, name), count_rows(path), n_prompts)


def _bundles(counts: Mapping[tuple, int], n_rows: int) -> Iterator[list[tuple]]:
    """Keys in order, as many together as have no more rows than that."""
    bundle: list[tuple] = []
    size = 0
    for key, count in counts.items():
        if bundle and size + count > n_rows:
            yield bundle
            bundle, size = [], 0
        bundle.append(key)
        size += count
    if bundle:
        yield bundle


def _filtered(path: str | Path, filters: Any, columns: list[str] | None = None) -> pd.DataFrame:
    with reading(path):
        return pd.read_parquet(path, filters=filters, columns=columns)
