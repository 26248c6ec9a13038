"""Experts that a prompt did not reach: the router sent no token to them, or none that the loss depends on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from internal_physics.models.kinds import expert_of


def with_experts(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of weights with `expert` beside them: the number of its expert, from their names; else missing."""
    return rows.assign(expert=pd.array([expert_of(name) for name in rows["parameter"]], dtype="Int64"))


def not_reached(parameters: Sequence[str] | pd.Series, gradient_norms: Sequence[float] | pd.Series) -> np.ndarray:
    """Whether each weight is an expert's whose gradient is exactly zero.

    The last token of a prompt predicts nothing: an expert of the last block that has that token alone has no gradient.
    """
    zero = np.asarray(gradient_norms, dtype=float) == 0
    return zero & np.array([expert_of(name) is not None for name in parameters], dtype=bool)
