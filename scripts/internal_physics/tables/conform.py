"""Frames that hold exactly the columns that a table is described with."""

import pandas as pd

from internal_physics.ground.errors import StoreError
from internal_physics.tables.table import Table


def conform(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The frame with exactly the table's columns, in order and type.

    Raises:
        StoreError: naming missing or unknown columns.
    """
    columns = table.columns
    missing, extra = [c for c in columns if c not in frame], [c for c in frame if c not in columns]
    if missing or extra:
        raise StoreError(
            f"table {table.name}: missing columns {missing}, unknown columns {extra}", expected=", ".join(columns)
        )
    return frame[list(columns)].astype(table.types).reset_index(drop=True)
