"""In which number formats each model ran, from table `models`: for the run file and the report."""

from pathlib import Path
from typing import Any

import pandas as pd

from internal_physics.families.run.tables import MODELS
from internal_physics.models.options import PRECISION
from internal_physics.tables.read import read_table


def precision_by_model(models: str | Path) -> dict[str, dict[str, Any]]:
    """Model → adapter and stored_as, where it has them, and its number formats (models.options.PRECISION).

    The number formats are read from the model's records.

    Args:
        models: Parquet file of table `models`.
    """
    rows = read_table(models, MODELS).set_index("model")
    names = ("adapter", "stored_as", *PRECISION)
    return {m: {name: _plain(row[name]) for name in names if not pd.isna(row[name])} for m, row in rows.iterrows()}


def _plain(value: Any) -> Any:
    """A number or text that YAML writes as such."""
    return value.item() if hasattr(value, "item") else value
