"""Frames with exactly the columns of a table's description."""

import pandas as pd
from pandas.api.types import is_float_dtype, is_integer_dtype

from internal_physics.ground.errors import StoreError
from internal_physics.tables.table import Table


def conform(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The frame with exactly the table's columns, in order and type.

    Raises:
        StoreError: naming missing or unknown columns, or a column of whole numbers that holds other numbers.
    """
    columns = table.columns
    missing, extra = [c for c in columns if c not in frame], [c for c in frame if c not in columns]
    if missing or extra:
        raise StoreError(
            f"table {table.name}: missing columns {missing}, unknown columns {extra}", expected=", ".join(columns)
        )
    conformed = frame[list(columns)].astype(table.types).reset_index(drop=True)
    broken = [
        c
        for c in columns
        if is_integer_dtype(conformed[c]) and is_float_dtype(frame[c]) and _differ(conformed[c], frame[c])
    ]
    if broken:
        raise StoreError(f"table {table.name}: column {broken[0]} holds broken numbers", expected="whole numbers")
    return conformed


def _differ(whole: pd.Series, given: pd.Series) -> bool:
    """Whether rounding changed a number: pandas cuts 1.5 to 1 without a warning."""
    return bool((whole.dropna().to_numpy() != given.dropna().to_numpy()).any())
