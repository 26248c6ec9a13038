"""The numbers of one local linear map J [d, d]: how it stretches, how many directions it keeps, how volume scales.

Index conventions: i rank of a singular value 1..d, k probe.
"""

import math
from dataclasses import dataclass

import numpy as np

from internal_physics.families.jacobian.statuses import NO_VALUES, NOT_FINITE, SINGULAR
from internal_physics.ground.status import OK

NATS = {"log_abs_det_nats": "nats", "mean_log_gain_nats": "nats"}  # columns with a unit


@dataclass(frozen=True)
class LocalMap:
    """The numbers of one map.

    Attributes:
        frobenius_norm: ‖J‖_F = √Σσ². Dimensionless, ≥ 0.
        frobenius_standard_error: of that estimate; 0 where it is exact.
        singular_values: [d], descending; empty where J is not known.
        effective_rank: exp(−Σ p ln p) with p = σ/Σσ, from 1 to d; NaN where they are not known, or all zero.
        log_abs_det_nats: ln|det J| = Σ ln σ; NaN where it is not known, or J is singular to rounding.
        status: "ok", or why a number is missing.
    """

    frobenius_norm: float
    frobenius_standard_error: float
    singular_values: np.ndarray
    effective_rank: float
    log_abs_det_nats: float
    status: str = OK


def of_matrix(matrix: np.ndarray, *, epsilon: float = float(np.finfo(np.float64).eps)) -> LocalMap:
    """The numbers of a known map [d, d]; all NaN if an entry is not finite.

    Args:
        matrix: J.
        epsilon: relative rounding of its entries; a smallest singular value below that times the largest is not told
            apart from 0.
    """
    if not np.isfinite(matrix).all():
        return LocalMap(math.nan, math.nan, np.empty(0), math.nan, math.nan, NOT_FINITE)
    values = np.linalg.svd(matrix.astype(np.float64), compute_uv=False)
    is_singular = bool(values[-1] <= epsilon * values[0])
    return LocalMap(
        frobenius_norm=float(np.sqrt(np.square(values).sum())),
        frobenius_standard_error=0.0,
        singular_values=values,
        effective_rank=effective_rank(values),
        log_abs_det_nats=math.nan if is_singular else float(np.log(values).sum()),
        status=SINGULAR if is_singular else OK,
    )


def of_probes(products: np.ndarray) -> LocalMap:
    """The numbers that products vᵀJ [k, d] with k ≥ 2 random sign vectors give: ‖J‖² = E‖vᵀJ‖² (Hutchinson).

    The standard error is that of the mean over probes, carried over to the square root.
    """
    squares = np.square(products.astype(np.float64)).sum(axis=1)
    if not np.isfinite(squares).all():
        return LocalMap(math.nan, math.nan, np.empty(0), math.nan, math.nan, NOT_FINITE)
    norm = math.sqrt(squares.mean())
    error_of_square = float(squares.std(ddof=1)) / math.sqrt(len(squares))
    error = error_of_square / (2 * norm) if norm else 0.0
    return LocalMap(norm, error, np.empty(0), math.nan, math.nan, NO_VALUES)


def effective_rank(values: np.ndarray) -> float:
    """Exp of the entropy of p = σ/Σσ: from 1, one direction, to their number, all alike; NaN where all are zero.

    Source: Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    total = values.sum()
    if not total > 0:
        return math.nan
    p = values[values > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))
