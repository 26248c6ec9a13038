"""Intervals of shares: how many of n observations are so."""

from scipy import stats


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
    found = stats.binomtest(n_yes, n).proportion_ci(confidence_level, method="wilson")
    return min(float(found.low), n_yes / n), max(float(found.high), n_yes / n)  # rounding, where all or none are so
