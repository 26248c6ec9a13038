"""How well a signal tells wrong ones from right ones. No torch: gates and figures use it."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata


def area_under_curve(is_wrong: np.ndarray, shares: np.ndarray) -> float:
    """Probability that a wrong one has the larger share than a right one, ties by half.

    NaN where there is no wrong one or no right one, or where a share is NaN.
    """
    n_wrong = int(is_wrong.sum())
    n_right = is_wrong.size - n_wrong
    if not n_wrong or not n_right:
        return float("nan")
    return float((rankdata(shares)[is_wrong].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * n_right))


def area_of(rows: pd.DataFrame) -> float:
    """Area under the curve of the column `value` for the column `is_wrong`."""
    return area_under_curve(rows["is_wrong"].to_numpy(bool), rows["value"].to_numpy())
