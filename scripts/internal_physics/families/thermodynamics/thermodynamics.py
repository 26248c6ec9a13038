"""Thermodynamics of the weights: temperature, entropy, energy and free energy of every matrix on every prompt.

W is a weight as the model uses it, with singular values σ; G is ∂loss/∂W of one prompt, the loss being the mean
negative log-likelihood in nats. The definitions are those of a published script, whose order of the
weights is `order: name`.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from internal_physics.families.thermodynamics.depth import DERIVED, STATE, derive, sequences
from internal_physics.families.thermodynamics.reached import not_reached
from internal_physics.families.thermodynamics.spectrum import entropy_nats
from internal_physics.families.thermodynamics.state_means import state_means
from internal_physics.families.thermodynamics.statuses import NOT_REACHED
from internal_physics.ground.errors import StoreError
from internal_physics.ground.status import OK, value_status
from internal_physics.models.coverage import weight_of
from internal_physics.records.read_together import gradients_in_turn
from internal_physics.records.trace import Trace
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.measure import key_of, per_prompt_table
from internal_physics.tables.metric_rows import MetricRow

EPSILON = 1e-8
SCORES = ("temperature", "entropy_nats", "energy", "free_energy")  # each also by kind of map: temperature_query
COLUMNS = (
    *PROMPT_KEY,
    "parameter",
    "layer",
    "kind",
    "weight_norm",
    "gradient_norm",
    "temperature",
    "entropy_nats",
    "energy",
    "free_energy",
    *DERIVED,
    "derivative_status",
    "status",
)
ZERO_GRADIENT = "zero gradient: temperature is ‖W‖ / 1e-8"
NO_ORDER = "experts have no order along depth: no derivative"


class StatesAndScores(NamedTuple):
    """Results of the rule: a row per prompt and weight, and tidy score rows per prompt."""

    states: pd.DataFrame
    scores: pd.DataFrame


def temperature(weight_norm: np.ndarray | float, gradient_norm: np.ndarray | float) -> np.ndarray | float:
    """T = ‖W‖ / (‖G‖ + 1e-8), ≥ 0, weight unit squared per nat; ‖W‖/1e-8 where the gradient is zero."""
    return weight_norm / (gradient_norm + EPSILON)


def energy(singular_values: np.ndarray) -> float:
    """E = Σσ² / (Σσ + 1e-8), ≥ 0, in the unit of the weight; 0 for a zero weight, NaN where σ is not finite."""
    values = singular_values.astype(np.float64)
    return float(np.sum(values**2) / (np.sum(values) + EPSILON))


def thermodynamics(trace: Trace, weights: pd.DataFrame, order: str = "depth") -> pd.DataFrame:
    """State and derivatives of every weight on one prompt.

    Args:
        trace: with factors or norms of the weight gradients.
        weights: one row per 2-D weight, as `spectra.weight_spectra` gives them.
        order: "depth" or "name", see depth.py.

    Returns:
        One row per weight in the order of `weights`, columns `COLUMNS`. A weight without a recorded gradient has NaN
        and a status; an expert that the prompt did not reach has a gradient of zero, no temperature and a status.
        `status` judges the state, `derivative_status` the derivatives: NaN at the ends of a sequence.

    Raises:
        StoreError: if the trace keeps no weight gradients, or has parameters that `weights` lacks.
    """
    static = weight_states(weights)
    return _states(trace, static, sequences(list(static.parameter), list(static.layer), order))


def weight_states(weights: pd.DataFrame) -> pd.DataFrame:
    """Columns that do not depend on the prompt: parameter, layer, kind, weight_norm, entropy_nats, energy, status."""
    static = weights[["parameter", "layer", "kind", "weight_norm", "status"]].reset_index(drop=True)
    values = [np.asarray(v, dtype=np.float64) for v in weights["singular_values"]]
    return static.assign(entropy_nats=[entropy_nats(v) for v in values], energy=[energy(v) for v in values])


def thermodynamics_of(traces: Iterable[Trace], weights: pd.DataFrame, order: str = "depth") -> StatesAndScores:
    """All traces of one model and condition; each trace is read once.

    Raises:
        StoreError: as `thermodynamics`.
    """
    static = weight_states(weights)
    along = sequences(list(static.parameter), list(static.layer), order)
    frames: list[pd.DataFrame] = []

    def rows(trace: Trace) -> list[MetricRow]:
        frames.append(_states(trace, static, along))
        return score_rows(frames[-1])

    scores = per_prompt_table(traces, rows)
    return StatesAndScores(pd.concat(frames, ignore_index=True), scores)


def thermodynamics_chunks(
    traces: Iterable[Trace], weights: pd.DataFrame, order: str, *, seed: int, n_resamples: int, confidence_level: float
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of one prompt set after the other: its scores (`metric`), `states` and their `means`. Sets are adjacent."""
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    for _, of_set in groupby(traces, key=lambda trace: trace.info.labels["prompt_set"]):
        found = thermodynamics_of(of_set, weights, order)
        yield "metric", found.scores
        yield "states", found.states
        yield "means", state_means(found.states, **settings)


def score_rows(states: pd.DataFrame) -> list[MetricRow]:
    """Medians over the layers of each kind of map, and the median of those, in which each kind counts once.

    Quantities are named "temperature_query", and "temperature" for the median over kinds. Weights without a finite
    value are left out, which the status says; so are experts that the prompt did not reach, which is no fault.
    """
    found = []
    for quantity in SCORES:
        finite = states[np.isfinite(states[quantity])]
        by_kind = finite.groupby("kind", sort=False)[quantity].median()
        expected = states[states["status"] != NOT_REACHED]
        n_missing = int((~np.isfinite(expected[quantity])).sum())
        status = f"{n_missing} of {len(expected)} weights left out: not finite" if n_missing else OK
        overall = float(by_kind.median()) if len(by_kind) else float("nan")
        found.append(MetricRow(quantity, overall, status=status if by_kind.size else value_status(overall)))
        found += [MetricRow(f"{quantity}_{kind}", float(value)) for kind, value in by_kind.items()]
    return found


def temperatures(trace: Trace, weights: pd.DataFrame) -> pd.DataFrame:
    """The rows of `weights` (parameter, weight_norm, status, …) with gradient_norm, temperature and the joint status.

    Raises:
        StoreError: as `thermodynamics`.
    """
    states = weights.assign(gradient_norm=_gradient_norms(trace, list(weights["parameter"])))
    idle = not_reached(states["parameter"], states["gradient_norm"])
    states["temperature"] = temperature(states["weight_norm"], states["gradient_norm"].mask(idle))
    states["status"] = [_status(*row) for row in zip(states["status"], states["gradient_norm"], idle, strict=True)]
    return states


def _states(trace: Trace, static: pd.DataFrame, along: list[np.ndarray]) -> pd.DataFrame:
    states = temperatures(trace, static)
    states["free_energy"] = states["energy"] - states["temperature"] * states["entropy_nats"]
    derived = _derivatives(states, along)
    return states.assign(**key_of(trace), **derived)[list(COLUMNS)]


def _gradient_norms(trace: Trace, parameters: list[str]) -> np.ndarray:
    if trace.info.weight_gradients == "none":
        raise StoreError(
            f"the record of {trace.info.prompt!r} keeps weight_gradients: none",
            expected="norms, sketch or factors, since a temperature is the ratio of a weight to its gradient",
            todo="set weight_gradients: norms for its prompt set and record again",
        )
    norms = _MatrixNorms(trace)
    if unknown := norms.recorded_beside(parameters):
        raise StoreError(
            f"the record has {unknown[0]!r}, the spectra do not",
            where=f"prompt {trace.info.prompt!r}",
            expected="spectra of the model that was recorded",
            todo="delete the model's file in results/weights and run again",
        )
    return np.array([norms.of(name) for name in parameters])


class _MatrixNorms:
    """Gradient norms of the weights of a trace, of a stack of matrices that was recorded one by one too."""

    def __init__(self, trace: Trace) -> None:
        self._recorded = _recorded_norms(trace)
        self._stacks: dict[str, list[str]] = {}
        for name in trace.parameters:
            if weight_of(name) != name:
                self._stacks.setdefault(weight_of(name), []).append(name)

    def recorded_beside(self, parameters: Iterable[str]) -> list[str]:
        """What was recorded and is neither of these weights nor a matrix of one nor made of them."""
        known = set(parameters)
        whole = {weight_of(name) for name in known}
        return sorted(n for n in self._recorded if n not in known and weight_of(n) not in known and n not in whole)

    def of(self, name: str) -> float:
        """‖G‖; NaN for a weight without a recorded gradient."""
        if name in self._recorded:
            return self._recorded[name]
        if name in self._stacks:
            return math.hypot(*(self._recorded[matrix] for matrix in self._stacks[name]))
        return math.nan


def _recorded_norms(trace: Trace) -> dict[str, float]:
    """Weight -> ‖G‖, of all that were recorded."""
    names = trace.parameters
    if trace.info.weight_gradients == "factors":
        return {name: own.norm() for name, own in zip(names, gradients_in_turn(trace, names), strict=True)}
    return {name: trace.gradient_norm(name) for name in names}


def _derivatives(states: pd.DataFrame, along: list[np.ndarray]) -> dict[str, np.ndarray | list[str]]:
    arrays = {quantity: states[quantity].to_numpy(dtype=np.float64) for quantity in STATE}
    derived = {name: np.full(len(states), np.nan) for name in DERIVED}
    at_end, in_order = np.zeros((2, len(states)), dtype=bool)
    for places in along:
        at_end[places[[0, -1]]] = in_order[places] = True
        for name, values in derive({quantity: array[places] for quantity, array in arrays.items()}).items():
            derived[name][places] = values
    finite = np.isfinite(np.stack(list(derived.values()))).all(axis=0)
    statuses = [_derivative_status(*row) for row in zip(in_order, at_end, finite, strict=True)]
    return {**derived, "derivative_status": statuses}


def _derivative_status(in_order: bool, at_end: bool, finite: bool) -> str:
    if not in_order:
        return NO_ORDER
    if at_end:
        return "end of its sequence: no derivative"
    return OK if finite else "not finite: a neighbor has no value, or a difference is -1e-6"


def _status(of_weight: str, gradient_norm: float, idle: bool) -> str:
    if of_weight != OK:
        return of_weight
    if np.isnan(gradient_norm):
        return "no gradient recorded"
    if not np.isfinite(gradient_norm):
        return "the gradient is not finite"
    if idle:
        return NOT_REACHED
    return ZERO_GRADIENT if gradient_norm == 0 else OK
