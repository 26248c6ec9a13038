"""The four flags of a phase transition, from derivatives along depth.

Index conventions: the last axis runs along one sequence of weights (see depth.py); whatever comes before it
(prompts, shuffles) is independent.
"""

from collections.abc import Mapping

import numpy as np

from internal_physics.families.thermodynamics.options import FlagRules

FLAGS = ("latent_heat_jump", "negative_specific_heat", "susceptibility_divergence", "high_compressibility")
ALL_KINDS = "all kinds"  # of map, together


def flag(derived: Mapping[str, np.ndarray], rules: FlagRules) -> dict[str, np.ndarray]:
    """The flags, boolean arrays [..., n], from arrays of `depth.DERIVED`.

    Where a derivative is NaN there is no flag. An infinite one exceeds every threshold.
    """
    with np.errstate(invalid="ignore"):
        is_jump = (np.abs(derived["d_temperature"]) < rules.latent_heat_max_d_temperature) & (
            np.abs(derived["d_energy"]) > rules.latent_heat_min_d_energy
        )
        is_negative = derived["specific_heat"] < 0
        susceptibility, compressibility = derived["susceptibility"], derived["compressibility"]
        if rules.flags == "z_score":
            diverges = np.abs(z_scores(susceptibility)) > rules.susceptibility_sigmas
            is_high = np.abs(z_scores(compressibility)) > rules.compressibility_sigmas
        else:
            diverges = np.abs(susceptibility) > rules.susceptibility_threshold
            is_high = np.abs(compressibility) > rules.compressibility_threshold
    return dict(zip(FLAGS, (is_jump, is_negative, diverges, is_high), strict=True))


def z_scores(values: np.ndarray) -> np.ndarray:
    """(x - mean)/std along the last axis, over its finite values, sample standard deviation (ddof 1).

    NaN stays NaN, an infinite value stays infinite, and equal values get 0. Among n values no |z| can exceed
    (n-1)/√n: a sequence needs 11 of them for 3σ to be reached at all.
    """
    finite = np.isfinite(values)
    count = finite.sum(axis=-1, keepdims=True)
    known = np.where(finite, values, 0.0)
    mean = known.sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    deviation = np.where(finite, values - mean, 0.0)
    spread = np.sqrt((deviation**2).sum(axis=-1, keepdims=True) / np.maximum(count - 1, 1))
    # Equal values differ from their mean by rounding alone, which must not be stretched into a z-score.
    is_flat = spread <= 4 * np.finfo(np.float64).eps * np.abs(mean)
    scores = np.where(is_flat, 0.0, deviation / np.where(is_flat, 1.0, spread))
    return np.where(finite, scores, values)
