"""Table `kernel_neighbours`: which prompts pull the model in the same direction as a given one?

The prompts of all sets of a model and condition are compared, whichever jobs recorded them.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from internal_physics.families.kernel.tables import KERNEL_NEIGHBOURS, N_NEIGHBOURS
from internal_physics.families.kernel.usable import Usable
from internal_physics.ground.status import OK, join_status

STANDARD_ERRORS = 2.0  # by which a cosine is more than the next, to be resolved from it
_ROWS_AT_ONCE = 1000
_ROUNDING = 1e-9  # of a cosine that is exact, in float64


def neighbour_rows(of: Usable) -> pd.DataFrame:
    """Rows of table `kernel_neighbours`: the nearest `N_NEIGHBOURS` prompts of each one, by cosine.

    No rows where there is only one prompt. A prompt is resolved from the next one if their cosines differ by more than
    two standard errors of the difference, as if the two errors were independent.
    """
    n = len(of.prompts)
    n_listed = min(N_NEIGHBOURS, n - 1)
    if n_listed < 1:
        return pd.DataFrame(columns=list(KERNEL_NEIGHBOURS.columns))
    near, order = _nearest(of.cosines, min(n_listed + 1, n - 1))
    norms = np.sqrt(of.kernel.squared_norms)  # without error: an estimated kernel has an exact diagonal
    errors_near = np.take_along_axis(of.kernel.standard_error(), order, axis=1) / norms[:, None] / norms[order]
    prompts = np.array(of.prompts, dtype=object)
    first = np.repeat(np.arange(n), n_listed)
    other = order[:, :n_listed].ravel()
    rows = pd.DataFrame(
        {
            "prompt_set": prompts[first, 0],
            "prompt": prompts[first, 1],
            "rank": np.tile(np.arange(1, n_listed + 1), n),
            "neighbour_set": prompts[other, 0],
            "neighbour": prompts[other, 1],
            "cosine": near[:, :n_listed].ravel().astype(np.float64),
            "standard_error": errors_near[:, :n_listed].ravel(),
            "is_resolved": pd.array(_resolved(near, errors_near, n_listed).ravel(), dtype="boolean"),
        }
    )
    return rows.assign(**of.key, status=join_status(of.left_out) or OK)[list(KERNEL_NEIGHBOURS.columns)]


def _nearest(cosines: NDArray, n_nearest: int) -> tuple[NDArray, NDArray[np.intp]]:
    """The largest cosines of each prompt with others, and with whom, [N, n_nearest]; some rows at a time."""
    order = np.zeros((len(cosines), n_nearest), dtype=np.intp)
    for start in range(0, len(cosines), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        distances = -cosines[rows]
        distances[np.arange(len(distances)), start + np.arange(len(distances))] = np.inf
        order[rows] = np.argsort(distances, axis=1, kind="stable")[:, :n_nearest]
    return np.take_along_axis(cosines, order, axis=1), order


def _resolved(near: NDArray[np.float64], errors: NDArray[np.float64], n_listed: int) -> NDArray[np.object_]:
    """[N, n_listed] whether each differs from the next; None for the last of all, which has no next."""
    found = np.full((len(near), n_listed), None, dtype=object)
    n_pairs = min(n_listed, near.shape[1] - 1)
    gaps = near[:, :n_pairs] - near[:, 1 : n_pairs + 1]
    of_gaps = np.hypot(errors[:, :n_pairs], errors[:, 1 : n_pairs + 1])
    rounding = max(_ROUNDING, 16 * float(np.finfo(near.dtype).eps))
    found[:, :n_pairs] = gaps > np.maximum(STANDARD_ERRORS * of_gaps, rounding)
    return found
