"""Rule pulls: states of the weights → what each prompt pulls at, tables pulls and pulls_means.

Two measures of a weight W with the gradient G of a prompt's loss. gradient_share = ‖G‖² / Σ‖G‖² over the weights of
table thermodynamics: its part of the steepest step. relative_gradient = ‖G‖ / ‖W‖, the inverse of its temperature: how
strongly the prompt pulls at it for its size.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.families.thermodynamics.reached import not_reached, with_experts
from internal_physics.families.thermodynamics.statuses import NOT_REACHED
from internal_physics.families.thermodynamics.tables import MEASURES, PULLS, PULLS_MEANS, TOP
from internal_physics.ground.seeds import seed_of
from internal_physics.ground.status import OK
from internal_physics.statistics.many_means import mean_intervals
from internal_physics.tables.chunks import by_set, read_chunks
from internal_physics.tables.keys import PROMPT_KEY, SET_KEY

READ = (*PROMPT_KEY, "parameter", "layer", "kind", "weight_norm", "gradient_norm")
_WEIGHT = ["parameter", "layer", "kind", "expert"]


def pulls_files(
    paths: Iterable[str | Path], *, seed: int, n_resamples: int, confidence_level: float
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Chunks of both tables, one per prompt set of each file; memory holds only the states of one prompt set.

    Args:
        paths: files results/thermodynamics/{model}/{condition}/states.parquet.
        seed: of the resampling; each prompt set draws by its own name.
        n_resamples: bootstrap resamples of the prompts.
        confidence_level: of the intervals.
    """
    settings: dict[str, Any] = {"seed": seed, "n_resamples": n_resamples, "confidence_level": confidence_level}
    for path in paths:
        for states in by_set(read_chunks(path, READ)):
            found = with_measures(states)
            yield "pulls", top_pulls(found)
            yield "pulls_means", pulls_means(found, **settings)


def with_measures(states: pd.DataFrame) -> pd.DataFrame:
    """States with the columns MEASURES beside them.

    Args:
        states: a row per prompt and weight, columns READ.

    Returns:
        gradient_share in [0, 1], which sums to 1 over the weights of a prompt: NaN on a prompt whose gradients are all
        zero or not all finite, and for a weight without a recorded gradient. relative_gradient ≥ 0, in nats / weight²:
        NaN where the weight is zero, or a norm is not finite. expert: its number; idle: an expert's that the prompt did
        not reach, whose measures are zero.
    """
    squares = states["gradient_norm"].astype(float) ** 2
    total = squares.groupby([states[key] for key in PROMPT_KEY], sort=False).transform("sum")
    usable = np.isfinite(total) & (total > 0)
    relative = states["gradient_norm"] / states["weight_norm"].where(states["weight_norm"] > 0)
    return with_experts(states).assign(
        gradient_share=(squares / total.where(usable)),
        relative_gradient=relative.where(np.isfinite(relative)),
        idle=not_reached(states["parameter"], states["gradient_norm"]),
    )


def top_pulls(states: pd.DataFrame) -> pd.DataFrame:
    """Table `pulls`: the TOP weights of every prompt by each measure, the strongest first.

    Of equal ones the first counts more; a weight without a value comes last and has a status, as has an expert that the
    prompt did not reach.

    Args:
        states: as `with_measures` gives them.
    """
    prompts = states.groupby(PROMPT_KEY, sort=False)
    place = prompts.ngroup()
    parts = []
    for measure in MEASURES:
        rank = prompts[measure].rank(method="first", ascending=False, na_option="bottom").astype("int64")
        part = states.assign(measure=measure, rank=rank, value=states[measure], place=place)
        parts.append(part[rank <= TOP])
    found = pd.concat(parts).sort_values(["place", "rank"], kind="stable")
    status = [_status(*row) for row in zip(found["value"], found["gradient_norm"], found["idle"], strict=True)]
    found = found.assign(status=status, value=found["value"].mask(found["idle"]))
    in_order = found.sort_values(["place", "measure"], key=_order, kind="stable").reset_index(drop=True)
    return in_order[list(PULLS.columns)]


def pulls_means(states: pd.DataFrame, *, seed: int, n_resamples: int, confidence_level: float) -> pd.DataFrame:
    """Table `pulls_means`: means over the prompts of each set, the strongest weight first.

    The prompts of a set are resampled together for all its weights. `n_in_top` counts the prompts that have the weight
    among their TOP by this measure.

    Args:
        states: as `with_measures` gives them.
        seed: of the resampling; each prompt set draws by its own name.
        n_resamples: bootstrap resamples of the prompts.
        confidence_level: of the intervals.
    """
    settings: dict[str, Any] = {"n_resamples": n_resamples, "confidence_level": confidence_level}
    frames = []
    for keys, group in states.groupby(SET_KEY, sort=False):
        place, own_seed = dict(zip(SET_KEY, keys, strict=True)), seed_of(seed, "pulls", *keys)
        top = top_pulls(group)
        for measure in MEASURES:
            in_top = top[(top["measure"] == measure) & (top["status"] == OK)]["parameter"].value_counts()
            frames.append(_means(group, measure, in_top, own_seed, settings).assign(**place))
    return pd.concat(frames, ignore_index=True)[list(PULLS_MEANS.columns)]


def _means(states: pd.DataFrame, measure: str, in_top: pd.Series, seed: int, settings: dict[str, Any]) -> pd.DataFrame:
    """Rows of one prompt set and measure."""
    wide = states.pivot(index="prompt", columns="parameter", values=measure)
    found = mean_intervals(wide.to_numpy(dtype=float), seed=seed, **settings)
    named = {"mean": found.mean, "ci_low": found.low, "ci_high": found.high}
    n_prompts = np.isfinite(wide.to_numpy(dtype=float)).sum(axis=0)
    idle = states.groupby("parameter")["idle"].all().reindex(wide.columns).to_numpy(dtype=bool)
    means = pd.DataFrame({
        "parameter": wide.columns,
        **{name: np.where(idle, np.nan, values) for name, values in named.items()},
        "n_in_top": in_top.reindex(wide.columns, fill_value=0).to_numpy(),
        "n_prompts": n_prompts,
        "status": [NOT_REACHED if i else _mean_status(n, len(wide)) for n, i in zip(n_prompts, idle, strict=True)],
    })  # fmt: skip
    rows = states.drop_duplicates("parameter")[_WEIGHT].merge(means, on="parameter", how="left")
    rank = rows["mean"].rank(method="first", ascending=False, na_option="bottom").astype("int64")
    return rows.assign(measure=measure, rank=rank).sort_values("rank")


def _order(column: pd.Series) -> pd.Series:
    return column.map(MEASURES.index) if column.name == "measure" else column


def _status(value: float, gradient_norm: float, idle: bool) -> str:
    if idle:
        return NOT_REACHED
    if np.isnan(gradient_norm):
        return "no gradient recorded"
    if not np.isfinite(value):
        return "the weight is zero, or the prompt's gradients are all zero or not finite"
    return "the gradient is zero" if gradient_norm == 0 else OK


def _mean_status(n_prompts: int, n_all: int) -> str:
    if n_prompts == 0:
        return "no prompt has a finite value"
    if n_prompts < n_all:
        return f"{n_all - n_prompts} of {n_all} prompts left out: not finite; no interval"
    return OK if n_all > 1 else "one prompt: no interval"
