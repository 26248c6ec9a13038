"""Means over the prompts of a set of the prompt-dependent part of a weight's state, with bootstrap intervals."""

import numpy as np
import pandas as pd

from internal_physics.families.thermodynamics.reached import not_reached
from internal_physics.families.thermodynamics.statuses import NOT_REACHED, PARTLY_REACHED
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.statistics.many_means import mean_intervals
from internal_physics.tables.keys import SET_KEY

QUANTITIES = ("gradient_norm", "temperature", "free_energy")
COLUMNS = (*SET_KEY, "parameter", "layer", "kind", "quantity", "mean", "ci_low", "ci_high", "n_prompts", "status")


def state_means(states: pd.DataFrame, *, seed: int, n_resamples: int, confidence_level: float) -> pd.DataFrame:
    """One row per prompt set, weight and quantity of `QUANTITIES`; entropy and energy do not depend on the prompt.

    The prompts of a set are resampled together for all its weights, so that their intervals go with one another. A
    weight that lacks a finite value on some prompts has the mean of the others, no interval, and a status. So has the
    temperature of an expert that some prompts did not reach; one that none reached has no number at all.
    """
    frames = [
        _of_set(
            group,
            seed=seed_of(seed, "state_means", *keys),
            n_resamples=n_resamples,
            confidence_level=confidence_level,
        ).assign(**dict(zip(SET_KEY, keys, strict=True)))
        for keys, group in states.groupby(SET_KEY, sort=False)
    ]
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def _of_set(states: pd.DataFrame, *, seed: int, n_resamples: int, confidence_level: float) -> pd.DataFrame:
    parts = []
    idle = _idle(states)
    for quantity in QUANTITIES:
        wide = states.pivot(index="prompt", columns="parameter", values=quantity)
        values = np.where(idle.all(axis=0), np.nan, wide.to_numpy(dtype=np.float64))
        found = mean_intervals(values, seed=seed, n_resamples=n_resamples, confidence_level=confidence_level)
        finite = np.isfinite(values)
        part = pd.DataFrame({"parameter": wide.columns, "mean": found.mean, "ci_low": found.low, "ci_high": found.high})
        parts.append(
            part.assign(
                quantity=quantity,
                n_prompts=finite.sum(axis=0),
                status=[_status(*c) for c in zip(finite.T, idle.T, strict=True)],
            )
        )
    places = states.drop_duplicates("parameter")[["parameter", "layer", "kind"]]
    return places.merge(pd.concat(parts), on="parameter", how="left")


def _idle(states: pd.DataFrame) -> np.ndarray:
    """Whether each prompt [p] did not reach a weight, [p, weights]; in the order of a pivot by prompt and parameter."""
    marked = states.assign(idle=not_reached(states["parameter"], states["gradient_norm"]))
    return marked.pivot(index="prompt", columns="parameter", values="idle").to_numpy(dtype=bool)


def _status(finite: np.ndarray, idle: np.ndarray) -> str:
    if idle.all():
        return NOT_REACHED
    if not finite.all() and (finite | idle).all():
        return PARTLY_REACHED
    if finite.sum() == 0:
        return "no prompt has a finite value"
    if not finite.all():
        return f"{(~finite).sum()} of {finite.size} prompts left out: not finite; no interval"
    return OK if finite.size > 1 else "one prompt: no interval"
