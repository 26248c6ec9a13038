"""Intervals of shares: how many of n observations are so."""

import math

from scipy.special import ndtri


def share_interval(n_yes: int, n: int, confidence_level: float) -> tuple[float, float]:
    """Wilson's score interval of a share, within [0, 1].

    Unlike a bootstrap it has a width where all observations agree. Source: Wilson (1927).

    Args:
        n_yes: observations that are so, 0..n.
        n: observations, at least one.
        confidence_level: between 0 and 1, both excluded.

    Raises:
        ValueError: a number is out of its range.
    """
    if not 0 <= n_yes <= n or n < 1:
        raise ValueError(f"{n_yes} of {n} observations: expected 0 to n of at least one")
    if not 0 < confidence_level < 1:
        raise ValueError(f"a confidence level of {confidence_level}: expected one between 0 and 1")
    z = float(ndtri((1 + confidence_level) / 2))
    share = n_yes / n
    center = (n_yes + z**2 / 2) / (n + z**2)
    half_width = z * math.sqrt(n * share * (1 - share) + z**2 / 4) / (n + z**2)
    low, high = max(0.0, center - half_width), min(1.0, center + half_width)
    return min(low, share), max(high, share)  # rounding, where all or none are so
