"""Tables that are made of the rows of one metric, file by file.

A table module has TABLE, the table that it makes, and `rows`: the metric's rows of one model and condition (columns of
tables.measure) in, rows of the table out.
"""

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from internal_physics.tables.rows import read_rows
from internal_physics.tables.write import write_tables


def write_from_metric(module: str, metrics: Iterable[str | Path], outputs: Any) -> None:
    """Make a table from metric files and write it, in the order of the files.

    Args:
        module: dotted name of the table module.
        metrics: files results/metrics/{metric}/{model}/{condition}.parquet.
        outputs: a rule's named outputs, {table}_csv and {table}_parquet.
    """
    table = importlib.import_module(module)
    chunks = ((table.TABLE.name, table.rows(read_rows(path))) for path in metrics)
    write_tables(chunks, outputs, [table.TABLE])
