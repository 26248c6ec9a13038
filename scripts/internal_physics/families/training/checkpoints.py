"""Rows of checkpoints, in the order of their steps, and where new plateaus begin."""

import numpy as np
import pandas as pd

from internal_physics.families.thermodynamics.change_points import SHORTEST, change_points


def of_checkpoints(rows: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    """Rows of models that are checkpoints, with columns `parent` and `step`."""
    known = models.dropna(subset=["parent", "step"])[["model", "parent", "step"]]
    return rows.merge(known, on="model").astype({"step": "int64"})


def plateaus(values: pd.Series, penalty: float) -> pd.Series:
    """Whether a new plateau begins at each value, in the order of steps; missing for fewer than four, or a gap."""
    signal = values.to_numpy(np.float64)
    if len(signal) < 2 * SHORTEST or not np.isfinite(signal).all():
        return pd.Series(pd.NA, index=values.index, dtype="boolean")
    return pd.Series(change_points(signal[:, None], penalty), index=values.index, dtype="boolean")
