"""Rule compare: metric rows of all conditions → the table `comparisons`, every condition against the baseline.

No metric is named here: every quantity with one number per prompt (and layer), or per prompt set, is compared.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.ground.names import BASELINE
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.statistics.matched import sign_flip_p
from internal_physics.statistics.paired import MEASURES, Change, paired_changes, percent_change
from internal_physics.tables.chunks import prompt_sets_in
from internal_physics.tables.gather import by_model
from internal_physics.tables.loss_rows import with_loss
from internal_physics.tables.rows import read_metrics

_NUMBER = ["metric", "quantity", "token", "layer"]
_WHOLE = -1  # means "no layer" while numbers are aligned: an index cannot hold missing values
_INTERVALS = ("_ci_low", "_ci_high")
_TESTED = "difference"  # the measure that has a p-value


def compare_files(
    paths: Sequence[str], *, seed: int, n_resamples: int, confidence_level: float
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of the table, one per model and prompt set; only its rows of all metrics and conditions are in memory."""
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    for of_model in by_model(paths):
        for name in prompt_sets_in(of_model):
            rows = read_metrics(of_model, (pc.field("prompt_set") == name) & pc.field("rank").is_null())
            yield "comparisons", compare(rows, **settings)


def compare(rows: pd.DataFrame, *, seed: int, n_resamples: int, confidence_level: float) -> pd.DataFrame:
    """Table `comparisons` from the rows of all metrics (columns of tables.measure, and `metric`).

    Per prompt (and layer): mean over the prompts that have the number in both conditions; the others are counted in
    the status. Per prompt set: the two numbers as they are, without an interval. Ranks of a spectrum are not compared.
    """
    rows = with_loss(rows)
    rows = rows[rows["rank"].isna() & ~rows.quantity.str.endswith(_INTERVALS)]
    settings = {"n_resamples": n_resamples, "confidence_level": confidence_level}
    found: list[dict[str, Any]] = []
    for (model, prompt_set), group in rows.groupby(["model", "prompt_set"], sort=False):
        baseline = group[group.condition == BASELINE]
        for condition, steered in group[group.condition != BASELINE].groupby("condition", sort=False):
            keys = {"model": model, "condition": condition, "prompt_set": prompt_set}
            own = {"seed": seed_of(seed, "compare", model, condition, prompt_set), **settings}
            found += [keys | row for row in _compare_prompts(baseline, steered, own)]
            found += [keys | row for row in _compare_sets(baseline, steered)]
    return pd.DataFrame(found, columns=list(COMPARISONS.columns))


def _compare_prompts(baseline: pd.DataFrame, steered: pd.DataFrame, settings: Mapping[str, Any]) -> Iterator[dict]:
    """Rows of every number per prompt; numbers with the same usable prompts are resampled together."""
    before, after = _by_prompt(baseline), _by_prompt(steered)
    numbers = [number for number in before.columns if number in after.columns]
    prompts = before.index.union(after.index, sort=False)
    x, y = (table.reindex(index=prompts, columns=before.columns)[numbers].to_numpy() for table in (before, after))
    usable = np.isfinite(x) & np.isfinite(y)
    results: dict[int, list[dict]] = {}
    patterns, place = np.unique(usable, axis=1, return_inverse=True)
    for p, mask in enumerate(patterns.T):
        columns = np.flatnonzero(np.ravel(place) == p)
        status = _prompt_status(mask)
        x_usable, y_usable = x[np.ix_(mask, columns)], y[np.ix_(mask, columns)]
        means, changes = _changes(x_usable, y_usable, settings)
        flips = {"seed": settings["seed"], "n_resamples": settings["n_resamples"]}
        p_values = sign_flip_p(y_usable - x_usable, **flips)
        for i, column in enumerate(columns.tolist()):
            own = {measure: (c.value[i], c.low[i], c.high[i]) for measure, c in changes.items()}
            head = _head(numbers[column], means[:, i], int(mask.sum()))
            results[column] = [head | row for row in _measure_rows(own, float(p_values[i]), status)]
    for column in range(len(numbers)):
        yield from results[column]


def _by_prompt(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers of the prompts, [prompt, (metric, quantity, token, layer)], NaN where a row is not ok."""
    rows = rows[rows.prompt.notna()]
    values = rows.value.where(rows.status == OK)
    lined_up = rows.assign(value=values, token=rows.text.fillna(""), layer=rows.layer.fillna(_WHOLE).astype(int))
    table = lined_up.pivot(index="prompt", columns=_NUMBER, values="value")
    return table.reindex(columns=pd.MultiIndex.from_frame(lined_up[_NUMBER].drop_duplicates()))


def _changes(x: np.ndarray, y: np.ndarray, settings: Mapping[str, Any]) -> tuple[np.ndarray, Mapping[str, Change]]:
    """Means [2, q] and changes; all NaN if no prompt is left."""
    if not len(x):
        nothing = np.full(x.shape[1], np.nan)
        return np.stack([nothing, nothing]), dict.fromkeys(MEASURES, Change(nothing, nothing, nothing))
    return np.stack([x.mean(axis=0), y.mean(axis=0)]), paired_changes(x, y, **settings)


def _head(number: tuple, means: np.ndarray, n_prompts: int) -> dict:
    metric, quantity, token, layer = number
    place = {"metric": metric, "quantity": quantity, "token": token or None}
    place |= {"layer": pd.NA if layer == _WHOLE else layer}
    return place | {"baseline": means[0], "steered": means[1], "n_prompts": n_prompts}


def _measure_rows(changes: Mapping[str, tuple[float, float, float]], p: float, status: str) -> Iterator[dict]:
    """One row per measure, from its (value, low, high), and p for the difference; the status says what is missing."""
    for measure, (value, low, high) in changes.items():
        own = status
        if status == OK and math.isnan(value):
            own = "no value: the baseline's mean is zero"
        elif status == OK and not (math.isfinite(low) and math.isfinite(high)):
            own = "no interval: it is undefined on some resamples"
        has_interval = math.isfinite(low) and math.isfinite(high)
        ends = {"ci_low": low, "ci_high": high, "interval_status": OK if has_interval else own}
        tested = p if measure == _TESTED else math.nan
        yield {"measure": measure, "value": value, **ends, "p": tested, "status": own}


def _prompt_status(mask: np.ndarray) -> str:
    left_out, n = int((~mask).sum()), int(mask.sum())
    notes = [f"{left_out} of {len(mask)} prompts left out: no number in one of the conditions"] if left_out else []
    notes += ["one prompt: no interval"] if n == 1 else []
    return "; ".join(notes) or OK


def _compare_sets(baseline: pd.DataFrame, steered: pd.DataFrame) -> Iterator[dict]:
    """Rows of numbers that belong to the whole set: differences without intervals."""
    before, after = (rows[rows.prompt.isna()].set_index(["metric", "quantity"]) for rows in (baseline, steered))
    for number in before.index.intersection(after.index, sort=False):
        x, y = float(before.value[number]), float(after.value[number])
        values = {"difference": y - x, "absolute_difference": abs(y - x)}
        values["percent_change"] = float(percent_change(y - x, x))
        n_prompts = steered.prompt.nunique()
        for measure, value in values.items():
            has_value = math.isfinite(value)
            missing = "no value in one of the conditions"
            yield {
                **dict(zip(["metric", "quantity"], number, strict=True)),
                "token": None,
                "layer": pd.NA,
                "measure": measure,
                "baseline": x,
                "steered": y,
                "value": value,
                "ci_low": math.nan,
                "ci_high": math.nan,
                "p": math.nan,
                "n_prompts": n_prompts,
                "interval_status": "one number of the set: no interval" if has_value else missing,
                "status": OK if has_value else missing,
            }
