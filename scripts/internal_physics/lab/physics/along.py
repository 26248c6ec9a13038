"""Rows of table lab_physics: quantities of the physics, the training loss, and what is known, at the same steps."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.ground.status import OK
from internal_physics.lab.physics.tables import ALL_SETS, ANY, KNOWN, LEARNED, LOSS, OTHER, RANK, VELOCITY

QUANTITIES = (
    "loss",
    "ec",
    "temperature",
    "entropy_nats",
    "prediction_entropy_nats",
    "log_cumulative_gain",
)
RECENT = 0.1  # share of the steps before a checkpoint over which the training loss is averaged
_SERIES = ["parent", "prompt_set", "quantity"]


def physics_along(
    *,
    training: pd.DataFrame,
    kernels: pd.DataFrame | None,
    losses: pd.DataFrame,
    learned: Mapping[str, pd.DataFrame],
    trainings: Mapping[str, Mapping[str, Any]],
) -> pd.DataFrame:
    """The rows of table lab_physics.

    Args:
        training: table `training`.
        kernels: table `training_kernels`; None if the run has none.
        losses: table `lab_training`.
        learned: experiment → arm, seed, step and value of what it counts as learned.
        trainings: parent → arm, seed and experiment, for the parents that are trainings of the lab.
    """
    usable = training[(training["status"] == OK) & training["parent"].isin(list(trainings))].reset_index(drop=True)
    frames = [frame for parent, of in trainings.items() for frame in _of_training(parent, of, usable, kernels)]
    for parent, of in trainings.items():
        steps = np.unique(usable.loc[usable["parent"] == parent, "step"])
        own = [_learned(learned[of["experiment"]], of, steps)] if of["experiment"] in learned else []
        for rows in (*own, _loss(losses, of, steps)):
            frames.append(rows.assign(parent=parent, arm=of["arm"], seed=of["seed"], prompt_set=ALL_SETS, texts=ANY))
    return with_moves(pd.concat(frames, ignore_index=True))


def with_moves(rows: pd.DataFrame) -> pd.DataFrame:
    """With previous_step, moves_most and status; a velocity is a change itself, and says since which step."""
    ordered = rows.sort_values([*_SERIES, "step"], ignore_index=True)
    given = ordered["previous_step"].astype("Int64") if "previous_step" in ordered else pd.NA
    series = ordered.groupby(_SERIES, sort=False)
    change = series["value"].diff().abs()
    change = change.where(ordered["quantity"] != VELOCITY, ordered["value"])
    most = change.groupby([ordered[name] for name in _SERIES], sort=False).transform("max")
    before = series["step"].shift().astype("Int64")
    return ordered.assign(
        previous_step=before.where(ordered["quantity"] != VELOCITY, given),
        moves_most=(change == most) & (most > 0),
        status=OK,
    )


def _of_training(
    parent: str, of: Mapping[str, Any], usable: pd.DataFrame, kernels: pd.DataFrame | None
) -> Iterator[pd.DataFrame]:
    rows = usable[(usable["parent"] == parent) & usable["quantity"].isin(QUANTITIES)]
    place = {"parent": parent, "arm": of["arm"], "seed": of["seed"]}
    last = rows[(rows["quantity"] == "loss") & (rows["step"] == rows["step"].max())]
    if not last.empty:
        known = last.loc[last["value"].idxmin(), "prompt_set"]
        texts = rows["prompt_set"].map(lambda name: KNOWN if name == known else OTHER)
        yield rows[["prompt_set", "quantity", "unit", "step", "value"]].assign(**place, texts=texts)
    if kernels is not None:
        yield from (rows.assign(**place, prompt_set=ALL_SETS, texts=ANY) for rows in _of_kernels(kernels, parent))


def _of_kernels(kernels: pd.DataFrame, parent: str) -> Iterator[pd.DataFrame]:
    own = kernels[(kernels["parent"] == parent) & (kernels["status"] == OK)].sort_values("source")
    own = own.drop_duplicates("step")  # factors before sketch
    velocity = own.dropna(subset=["velocity"])[["step", "previous_step", "velocity"]]
    yield velocity.rename(columns={"velocity": "value"}).assign(quantity=VELOCITY, unit="1")
    rank = own.dropna(subset=["effective_rank"])[["step", "effective_rank"]]
    yield rank.rename(columns={"effective_rank": "value"}).assign(quantity=RANK, unit="prompts")


def _learned(rows: pd.DataFrame, of: Mapping[str, Any], steps: np.ndarray) -> pd.DataFrame:
    own = rows[(rows["arm"] == of["arm"]) & (rows["seed"] == of["seed"]) & rows["step"].isin(steps)]
    return own[["step", "value"]].assign(quantity=LEARNED, unit="1")


def _loss(losses: pd.DataFrame, of: Mapping[str, Any], steps: np.ndarray) -> pd.DataFrame:
    """Mean training loss shortly before each checkpoint; the first one that there is, for step 0."""
    own = losses[(losses["arm"] == of["arm"]) & (losses["seed"] == of["seed"])].sort_values("step")
    recent = [own[(own["step"] <= step) & (own["step"] > (1 - RECENT) * step)] for step in steps]
    values = [rows["loss_nats"].mean() if len(rows) else own["loss_nats"].iloc[0] for rows in recent]
    return pd.DataFrame({"step": steps, "value": values}).assign(quantity=LOSS, unit="nats")
