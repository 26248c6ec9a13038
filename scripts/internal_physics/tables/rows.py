"""Rows between two rules, and metric files: Parquet with the columns of the first rows. This module knows no table."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from internal_physics.ground.errors import StoreError
from internal_physics.ground.files import whole_file

# Which rows are read, as pyarrow takes it; row groups that can hold none are skipped by their statistics.
_Conditions: TypeAlias = list[tuple[str, str, Any]] | list[list[tuple[str, str, Any]]]
_RUN_AGAIN = "delete it and run again"
Filters: TypeAlias = "pc.Expression | _Conditions | None"


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn any error of a reader of a damaged file into one that names the file.

    Raises:
        StoreError: if the file is missing or damaged.
    """
    try:
        yield
    except MemoryError:
        raise
    except StoreError as error:
        raise StoreError(error.what, where=str(path), expected=error.expected, todo=_RUN_AGAIN) from error
    except Exception as error:
        raise StoreError(f"cannot be read ({error})", where=str(path), todo=_RUN_AGAIN) from error


def read_frame(path: str | Path, filters: Filters = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file, all rows and columns or some.

    Raises:
        StoreError: naming the file, if it is missing or damaged.
    """
    with reading(path):
        wanted = None if columns is None else list(columns)
        return pd.read_parquet(path, filters=filters, columns=wanted, page_checksum_verification=True)


def count_rows(path: str | Path) -> int:
    """Rows of a Parquet file, from its footer.

    Raises:
        StoreError: naming the file that cannot be read.
    """
    with reading(path):
        return pq.read_metadata(path).num_rows


def write_rows(rows: pd.DataFrame, path: str | Path) -> None:
    """Write rows between two rules (spectra with their lists of singular values, states, phases) to Parquet."""
    with whole_file(path) as temporary:
        rows.to_parquet(temporary, index=False, compression="zstd", write_page_checksum=True)


def read_rows(*paths: str | Path) -> pd.DataFrame:
    """The rows of several files that `write_rows` wrote, one below the other.

    Raises:
        StoreError: naming the file that cannot be read.
    """
    return pd.concat([read_frame(path) for path in paths], ignore_index=True)


def read_metrics(paths: Sequence[str], filters: Filters = None) -> pd.DataFrame:
    """The rows of several metric files, one below the other, with a column `metric` from each file's folder.

    Args:
        paths: of the files.
        filters: which rows.

    Raises:
        StoreError: if a file is missing or damaged; the error names it.
    """
    frames = [read_frame(path, filters).assign(metric=metric_of(path)) for path in paths]
    return pd.concat(frames, ignore_index=True)


def metric_of(path: str | Path) -> str:
    """The metric that a file results/metrics/{metric}/{model}/{condition}.parquet is of."""
    return Path(path).parts[-3]
