"""How well a signal tells wrong ones from right ones. No torch: gates and figures use it."""

import numpy as np
from scipy.stats import rankdata


def area_under_curve(is_wrong: np.ndarray, shares: np.ndarray) -> float:
    """Probability that a wrong one has the larger share than a right one, ties by half; NaN without one of the two."""
    n_wrong = int(is_wrong.sum())
    n_right = is_wrong.size - n_wrong
    if not n_wrong or not n_right:
        return float("nan")
    return float((rankdata(shares)[is_wrong].sum() - n_wrong * (n_wrong + 1) / 2) / (n_wrong * n_right))
