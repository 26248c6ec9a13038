"""ISF, the field-structure axis: how far the spectrum of gradients over a set of prompts is from a power law.

Index conventions: p, q prompt 1..P; l block 0..L-1; t token; d width; k rank 1..P of an eigenvalue.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from internal_physics.families.gradient_flow.limits import MIN_PROMPTS_ISF
from internal_physics.ground.status import OK, join_status
from internal_physics.records.targets import require_one_target
from internal_physics.records.trace import Trace
from internal_physics.statistics.bootstrap import Interval, jackknife_interval
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.metric_rows import MetricRow

ONE_DIRECTION = "the prompts' gradients differ in one direction only: no exponent"
_BYTES_AT_ONCE = 2**26
_ROUNDINGS = 10.0  # of the products and their sums, in units of n · eps of the largest product


@dataclass(frozen=True)
class FieldStructure:
    """Spectrum of a prompt set and its power law.

    Attributes:
        isf: RMSE of the fit / (λ_max - λ_min); dimensionless, ≥ 0.
        exponent: b of the fitted a·k^(-b).
        eigenvalues: [P], descending, of the sample covariance (ddof 1) of the prompts' gradients.
        fitted: [P], the power law at k = 1..P.
        status: "ok", or why isf and exponent are NaN.
        exponent_status: "ok", or why the exponent is NaN though ISF is not.
    """

    isf: float
    exponent: float
    eigenvalues: np.ndarray
    fitted: np.ndarray
    status: str = OK
    exponent_status: str = OK


def isf(traces: Sequence[Trace]) -> float:
    """ISF of a set of at least three prompts. See `field_structure`.

    Raises:
        ValueError: for fewer than three prompts.
        StoreError: for records whose gradients are of several kinds of number.
    """
    return field_structure(gradient_gram(traces)).isf


def gradient_gram(traces: Sequence[Trace]) -> np.ndarray:
    """Inner products of the prompts' gradients, [P, P], float64.

    A prompt's row is every ΔA_l = residual_gradient[l], l < L, in one vector, positions zero-padded to the longest
    prompt. Products are summed block by block, so no full row is in memory: it is [P, T, d], whatever the depth. As
    many blocks as fit `_BYTES_AT_ONCE` are read together: if there are more prompts than files may be open, each is
    opened again each time.
    """
    require_one_target(traces)
    n_tokens, n_layers = max(t.n_tokens for t in traces), traces[0].n_layers
    gram = np.zeros((len(traces), len(traces)))
    numbers = len(traces) * n_tokens * traces[0].info.width
    together = max(1, _BYTES_AT_ONCE // (numbers * gram.itemsize))
    for first in range(0, n_layers, together):
        layers = range(first, min(first + together, n_layers))
        rows = np.zeros((len(layers), len(traces), n_tokens, traces[0].info.width))
        for p, trace in enumerate(traces):
            for place, layer in enumerate(layers):
                rows[place, p, : trace.n_tokens] = trace.residual_gradient(layer)
        for flat in rows.reshape(len(layers), len(traces), -1):
            gram += flat @ flat.T
    return gram


def field_structure(gram: np.ndarray) -> FieldStructure:
    """Spectrum, power-law fit and ISF from the prompts' Gram matrix [P, P].

    The eigenvalues of the sample covariance of centred rows are those of the doubly centred Gram matrix over P-1: all P
    of them, the last ~0. Least squares of a·k^(-b), started at (λ₁, 1), in units of λ₁: no scale enters.
    A spectrum that is not finite, or flat (prompts that are identical up to rounding), has no ISF: NaN and a status.
    Where one eigenvalue is not zero, the larger the exponent the better the fit: it is NaN, and ISF is 0. Source:
    Internal Physics Benchmark.

    Raises:
        ValueError: for fewer than three prompts.
    """
    n = len(gram)
    if n < MIN_PROMPTS_ISF:
        raise ValueError(f"ISF needs at least {MIN_PROMPTS_ISF} prompts, there are {n}")
    if not np.isfinite(gram).all():
        return _undefined(np.full(n, np.nan), "not finite gradient in at least one prompt")
    eigenvalues = covariance_eigenvalues(gram)
    spread = eigenvalues[0] - eigenvalues[-1]
    rounding = _ROUNDINGS * n * float(np.finfo(float).eps)
    if not spread > 0 or eigenvalues[0] <= rounding * np.abs(gram).max():
        return _undefined(eigenvalues, "flat spectrum: the prompts' gradients do not differ")
    scaled = eigenvalues / eigenvalues[0]
    if scaled[1] <= rounding * np.abs(gram).max() / eigenvalues[0]:
        first = np.where(np.arange(n) == 0, eigenvalues[0], 0.0)
        return FieldStructure(0.0, float("nan"), eigenvalues, first, exponent_status=ONE_DIRECTION)
    fit = fit_power_law(scaled)
    if fit is None:
        return _undefined(eigenvalues, "the power-law fit did not converge")
    amplitude, exponent = fit
    fitted = amplitude * np.arange(1, n + 1) ** -exponent
    rmse = np.sqrt(np.mean((scaled - fitted) ** 2))
    return FieldStructure(float(rmse / (scaled[0] - scaled[-1])), exponent, eigenvalues, fitted * eigenvalues[0])


def covariance_eigenvalues(gram: np.ndarray) -> np.ndarray:
    """All P eigenvalues of the sample covariance (ddof 1), descending; rounding below zero is set to zero."""
    centred = gram - gram.mean(axis=0) - gram.mean(axis=1)[:, None] + gram.mean()
    return np.clip(np.linalg.eigvalsh(centred / (len(gram) - 1))[::-1], 0.0, None)


def fit_power_law(values: np.ndarray) -> tuple[float, float] | None:
    """Least-squares (a, b) of a·k^(-b) at k = 1..P, started at (values[0], 1); None where it does not converge."""
    ranks = np.arange(1, len(values) + 1, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # the covariance of (a, b) is not used
        try:
            (a, b), _ = curve_fit(
                _power_law,
                ranks,
                values,
                p0=(values[0], 1.0),
                maxfev=10_000,
                ftol=1e-13,
                xtol=1e-13,
                gtol=1e-13,
            )
        except RuntimeError:
            return None
    return float(a), float(b)


def leave_one_out(gram: np.ndarray, confidence_level: float = CONFIDENCE_LEVEL) -> Interval:
    """ISF of the set with a delete-one jackknife interval over prompts.

    A bootstrap would draw a prompt twice, and a repeated prompt makes an eigenvalue zero: another spectrum.
    Sets of three prompts cannot lose one: no interval.
    """
    whole = field_structure(gram)
    left_out = [np.delete(np.delete(gram, p, axis=0), p, axis=1) for p in range(len(gram))]
    if whole.status != OK or len(gram) <= MIN_PROMPTS_ISF:
        status = whole.status if whole.status != OK else f"{len(gram)} prompts: no interval"
        return Interval(whole.isf, float("nan"), float("nan"), len(gram), status)
    values = np.array([field_structure(g).isf for g in left_out])
    if not np.isfinite(values).all():
        return Interval(whole.isf, float("nan"), float("nan"), len(gram), "no interval: some subsets have no power law")
    return jackknife_interval(whole.isf, values, confidence_level=confidence_level, lower_bound=0.0)


def rows(traces: Sequence[Trace], confidence_level: float = CONFIDENCE_LEVEL) -> list[MetricRow]:
    """ISF of one prompt set with interval and exponent, its eigenvalues and the fitted law by rank."""
    gram = gradient_gram(traces)
    found, interval = field_structure(gram), leave_one_out(gram, confidence_level)
    head = [
        MetricRow("isf", found.isf, status=interval.status),
        MetricRow("isf_ci_low", interval.low, status=interval.status),
        MetricRow("isf_ci_high", interval.high, status=interval.status),
        MetricRow("isf_exponent", found.exponent, status=join_status(found.status, found.exponent_status)),
    ]
    spectrum = zip(found.eigenvalues, found.fitted, strict=True)
    return head + [
        row
        for k, (eigenvalue, fitted) in enumerate(spectrum, start=1)
        for row in (
            MetricRow("eigenvalue", float(eigenvalue), rank=k, status=found.status),
            MetricRow("fitted", float(fitted), rank=k, status=found.status),
        )
    ]


def _power_law(k: np.ndarray, a: float, b: float) -> np.ndarray:
    return a * k ** (-b)


def _undefined(eigenvalues: np.ndarray, status: str) -> FieldStructure:
    nothing = np.full(len(eigenvalues), np.nan)
    return FieldStructure(float("nan"), float("nan"), eigenvalues, nothing, status)


PER_SET = {"isf": rows}
