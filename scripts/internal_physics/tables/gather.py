"""Shared steps of collecting metric files: grouping files by model, and rows by layer."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import pandas as pd

from internal_physics.tables.keys import PROMPT_KEY


def by_model(paths: Sequence[str]) -> list[list[str]]:
    """Files results/…/{model}/{condition}.parquet of one model together, in the order in which models come first."""
    models = list(dict.fromkeys(Path(path).parts[-2] for path in paths))
    in_order = sorted(paths, key=lambda path: models.index(Path(path).parts[-2]))
    return [list(files) for _, files in groupby(in_order, key=lambda path: Path(path).parts[-2])]


def layers_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per prompt, layer and quantity."""
    layers = rows[rows.layer.notna()]
    return layers[[*PROMPT_KEY, "layer", "quantity", "value", "status"]].reset_index(drop=True)
