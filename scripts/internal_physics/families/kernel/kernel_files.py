"""Kernels between two rules: results/metrics/kernel/{model}/{condition}.parquet.

One row for each kernel, group of weights and prompt p, in the order of the prompts:

| column | type | meaning |
|---|---|---|
| source | text | what the kernel is computed from: factors (exact) or sketch (unbiased, with a standard error) |
| model, condition | text | whose records they are |
| layer | integer | of the group: -1 before the blocks, L after them; empty for all layers |
| kind | text | of map, of the group; empty for all kinds |
| prompt_set, prompt | text | p |
| values | list of float64 | K(p, q) for q = p and every later prompt, in nats² per squared weight |
| standard_errors | list of float32 | of the values; 0 where they are exact |

A row group of the file is of one group of weights of one kernel: all its rows, or of many prompts some after the other,
four million numbers together. A kernel holds either every layer with every kind, which
add up to the whole, or (of many prompts) the whole only, with layer and kind empty. A file of records without factors
or sketches has no rows.
"""

import contextlib
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from internal_physics.families.kernel.parts import Cell, PromptName, Source, TangentKernel, number_type
from internal_physics.ground.files import whole_file
from internal_physics.tables.rows import reading

_NUMBERS_AT_ONCE = 2**22
_NUMBERS = {"values": pa.list_(pa.float64()), "standard_errors": pa.list_(pa.float32())}
_OF_CELL = ("source", "model", "condition", "layer", "kind")
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("source", "model", "condition")),
        ("layer", pa.int64()),
        *((name, pa.string()) for name in ("kind", "prompt_set", "prompt")),
        *_NUMBERS.items(),
    ]
)


class KernelOf(NamedTuple):
    """A kernel, and whose records it is of."""

    model: str
    condition: str
    kernel: TangentKernel


def write_kernels(kernels: Iterable[KernelOf], path: str | Path) -> None:
    """Write kernels to one file, atomically; each may be large, so they may be given one after the other.

    Raises:
        StoreError: if the disk refuses, naming the file; nothing is left behind.
    """
    with whole_file(path) as temporary, contextlib.ExitStack() as stack:
        writer = stack.enter_context(pq.ParquetWriter(temporary, _SCHEMA, compression="zstd", write_page_checksum=True))
        for of in kernels:
            for cell in of.kernel.cells:
                for rows in _blocks(len(of.kernel.prompts)):
                    writer.write_table(_rows(of, cell, rows))


def read_kernels(path: str | Path) -> list[KernelOf]:
    """Read all kernels of a file, in its order.

    Raises:
        StoreError: if the file is missing or damaged, naming it.
    """
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.schema_arrow.names != _SCHEMA.names:
            raise ValueError(f"it has the columns {file.schema_arrow.names}")
        names = file.read(columns=[name for name in _SCHEMA.names if name not in _NUMBERS]).to_pylist()
        numbers = _numbers(file)
        found: dict[tuple[str, str, Source], tuple[tuple[PromptName, ...], dict, dict]] = {}
        for key, rows in groupby(names, lambda row: tuple(row[name] for name in _OF_CELL)):
            prompts = tuple(PromptName(row["prompt_set"], row["prompt"]) for row in rows)
            values, errors = _matrices(numbers, len(prompts), number_type(key[0], len(prompts)))
            _, cells, standard_errors = found.setdefault((*key[1:3], key[0]), (prompts, {}, {}))
            cells[Cell(*key[3:])] = values
            if errors is not None:
                standard_errors[Cell(*key[3:])] = errors
        return [
            KernelOf(*key[:2], TangentKernel(prompts, cells, key[2], errors))
            for key, (prompts, cells, errors) in found.items()
        ]


def _numbers(file: pq.ParquetFile) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float32]]]:
    """Values and standard errors, row by row; one row group is in memory."""
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, columns=list(_NUMBERS))
        lists = [rows[name].combine_chunks() for name in _NUMBERS]
        for i in range(len(rows)):
            values, errors = (own[i].values.to_numpy() for own in lists)
            yield values, errors


def _matrices(
    rows: Iterator[tuple[NDArray[np.float64], NDArray[np.float32]]], n: int, number: type[np.floating]
) -> tuple[NDArray, NDArray[np.float32] | None]:
    """[n, n] each, from the next n rows; no errors where all are 0."""
    values, errors = np.zeros((n, n), number), np.zeros((n, n), np.float32)
    is_exact = True
    for i, (own, own_errors) in enumerate(islice(rows, n)):
        values[i, i:] = values[i:, i] = own
        if own_errors.any():
            is_exact = False
            errors[i, i:] = errors[i:, i] = own_errors
    return values, None if is_exact else errors


def _blocks(n: int) -> Iterator[slice]:
    """Consecutive prompts whose rows have together at most some million numbers."""
    start = 0
    while start < n:
        step = max(1, _NUMBERS_AT_ONCE // (n - start))
        yield slice(start, min(start + step, n))
        start += step


def _rows(of: KernelOf, cell: Cell, rows: slice) -> pa.Table:
    kernel, n = of.kernel, rows.stop - rows.start
    errors = kernel.standard_errors.get(cell)
    numbers = {"values": kernel.cells[cell], "standard_errors": errors}
    columns = {
        "source": [kernel.source] * n,
        "model": [of.model] * n,
        "condition": [of.condition] * n,
        "layer": [cell.layer] * n,
        "kind": [cell.kind] * n,
        "prompt_set": [name.prompt_set for name in kernel.prompts[rows]],
        "prompt": [name.prompt for name in kernel.prompts[rows]],
    }
    arrays = [pa.array(column, _SCHEMA.field(name).type) for name, column in columns.items()]
    arrays += [_later(matrix, rows, len(kernel.prompts), _NUMBERS[name]) for name, matrix in numbers.items()]
    return pa.table(arrays, schema=_SCHEMA)


def _later(matrix: NDArray | None, rows: slice, n: int, kind: pa.ListType) -> pa.ListArray:
    """For each row its numbers from the diagonal on; zeros without a matrix."""
    places = range(rows.start, rows.stop)
    own = [np.zeros(n - i) if matrix is None else matrix[i, i:] for i in places]
    offsets = np.concatenate([[0], np.cumsum([n - i for i in places])]).astype(np.int32)
    numbers = np.concatenate(own).astype(kind.value_type.to_pandas_dtype())
    return pa.ListArray.from_arrays(offsets, numbers)
