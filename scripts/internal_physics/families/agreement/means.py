"""Means of the agreement over the prompts of a set, with intervals."""

from typing import Any

import numpy as np
import pandas as pd

from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK, join_status
from internal_physics.statistics.many_means import mean_intervals
from internal_physics.statistics.shares import share_interval
from internal_physics.tables.keys import SET_KEY

SHARES = ("best_token_agrees",)  # yes or no for each prompt: a bootstrap interval of equal answers would have no width
PAIR_KEY = [*SET_KEY, "reference", "reference_condition"]
NUMBER = ["quantity", "layer", "parameter", "kind"]


def agreement_means(rows: pd.DataFrame, *, seed: int, n_resamples: int, confidence_level: float) -> pd.DataFrame:
    """Rows of table `agreement_means` from rows of table `agreement`, whole prompt sets of each pair.

    The prompts of a set are resampled together for all numbers of a pair (percentile bootstrap); a share has Wilson's
    interval. A number that is missing on some prompts gets the mean of the others, no interval, and a status.
    """
    frames = [
        _of_set(
            group,
            seed=seed_of(seed, "agreement_means", *keys),
            n_resamples=n_resamples,
            confidence_level=confidence_level,
        ).assign(**dict(zip(PAIR_KEY, keys, strict=True)))
        for keys, group in rows.groupby(PAIR_KEY, sort=False)
    ]
    columns = [*PAIR_KEY, *NUMBER, "mean", "ci_low", "ci_high", "n_prompts", "status"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _of_set(rows: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    numbers = rows[NUMBER].drop_duplicates(ignore_index=True)
    rows = rows.assign(number=rows.groupby(NUMBER, sort=False, dropna=False).ngroup())
    wide = rows.pivot(index="prompt", columns="number", values="value").sort_index(axis=1)
    values = wide.to_numpy(dtype=np.float64)
    found = mean_intervals(values, **settings)
    reasons = rows[rows["status"] != OK].groupby("number")["status"].agg(lambda said: join_status(*said))
    n_finite = np.isfinite(values).sum(axis=0)
    status = [_status(n, len(wide), reasons.get(number, "")) for number, n in enumerate(n_finite)]
    means = numbers.assign(mean=found.mean, ci_low=found.low, ci_high=found.high, n_prompts=n_finite, status=status)
    return _with_share_intervals(means, values, settings["confidence_level"])


def _with_share_intervals(means: pd.DataFrame, values: np.ndarray, confidence_level: float) -> pd.DataFrame:
    for place in np.flatnonzero(means["quantity"].isin(SHARES) & (means["status"] == OK)):
        n_yes, n = int(values[:, place].sum()), len(values)
        means.loc[place, ["ci_low", "ci_high"]] = share_interval(n_yes, n, confidence_level)
    return means


def _status(n_finite: int, n_prompts: int, reasons: str) -> str:
    if n_finite == 0:
        return reasons
    if n_finite < n_prompts:
        return f"{n_prompts - n_finite} of {n_prompts} prompts left out: {reasons}; no interval"
    return OK if n_prompts > 1 else "one prompt: no interval"
