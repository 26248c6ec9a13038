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

A row group of the file is one group of weights of one kernel. A kernel holds either every layer with every kind, which
add up to the whole, or (of many prompts) the whole only, with layer and kind empty. A file of records without factors
or sketches has no rows.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from internal_physics.families.kernel.parts import Cell, PromptName, Source, TangentKernel
from internal_physics.ground.files import whole_file
from internal_physics.tables.rows import reading

_NUMBERS = {"values": pa.list_(pa.float64()), "standard_errors": pa.list_(pa.float32())}
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
                writer.write_table(_rows(of, cell))


def read_kernels(path: str | Path) -> list[KernelOf]:
    """Read all kernels of a file, in its order.

    Raises:
        StoreError: if the file is missing or damaged, naming it.
    """
    found: dict[tuple[str, str, Source], dict[Cell, pd.DataFrame]] = {}
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        if file.schema_arrow.names != _SCHEMA.names:
            raise ValueError(f"it has the columns {file.schema_arrow.names}")
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group).to_pandas()
            layer, kind = rows["layer"].iat[0], rows["kind"].iat[0]
            cell = Cell(None if pd.isna(layer) else int(layer), None if pd.isna(kind) else kind)
            model, condition, source = rows.loc[0, ["model", "condition", "source"]]
            found.setdefault((model, condition, source), {})[cell] = rows
        return [_kernel(*key, cells) for key, cells in found.items()]


def _rows(of: KernelOf, cell: Cell) -> pa.Table:
    kernel, n = of.kernel, len(of.kernel.prompts)
    errors = kernel.standard_errors.get(cell)
    columns = {
        "source": [kernel.source] * n,
        "model": [of.model] * n,
        "condition": [of.condition] * n,
        "layer": [cell.layer] * n,
        "kind": [cell.kind] * n,
        "prompt_set": [name.prompt_set for name in kernel.prompts],
        "prompt": [name.prompt for name in kernel.prompts],
        "values": list(_later(kernel.cells[cell])),
        "standard_errors": list(_later(np.zeros((n, n)) if errors is None else errors)),
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in _SCHEMA], schema=_SCHEMA)


def _later(matrix: NDArray) -> Iterator[NDArray]:
    return (row[i:] for i, row in enumerate(matrix))


def _kernel(model: str, condition: str, source: Source, cells: dict[Cell, pd.DataFrame]) -> KernelOf:
    first = next(iter(cells.values()))
    prompts = tuple(PromptName(*names) for names in zip(first["prompt_set"], first["prompt"], strict=True))
    values = {cell: _symmetric(rows["values"], np.float64) for cell, rows in cells.items()}
    errors = {cell: _symmetric(rows["standard_errors"], np.float32) for cell, rows in cells.items()}
    return KernelOf(
        model,
        condition,
        TangentKernel(prompts, values, source, {cell: error for cell, error in errors.items() if error.any()}),
    )


def _symmetric(later: pd.Series, number: type[np.floating]) -> NDArray:
    matrix = np.zeros((len(later), len(later)), dtype=number)
    for i, row in enumerate(later):
        matrix[i, i:] = matrix[i:, i] = row
    return matrix
