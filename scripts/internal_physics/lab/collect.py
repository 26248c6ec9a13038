"""Files of single trainings → tables of all of them."""

import importlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from internal_physics.ground.status import value_status
from internal_physics.lab.adapted import n_trained
from internal_physics.lab.experiments.experiment import Experiment
from internal_physics.lab.snapshots import snapshots_in
from internal_physics.lab.tables import LAB_ARMS, LAB_TRAINING
from internal_physics.models.checkpoint import stored_tensors
from internal_physics.tables.write import write_tables


def collect_experiment(experiment: str, folders: Sequence[str], outputs: Any) -> None:
    """Put the rows of all trainings into the tables of an experiment.

    Args:
        experiment: dotted name of the module with its description.
        folders: of rule lab_measure.
        outputs: {table}_csv and {table}_parquet of each table.
    """
    described: Experiment = importlib.import_module(experiment).EXPERIMENT
    chunks = ((t.name, pd.read_parquet(Path(f) / f"{t.name}.parquet")) for t in described.tables for f in folders)
    write_tables(chunks, outputs, described.tables)


def collect_arms(
    losses: Sequence[str], steps: Sequence[str], arms: Mapping[str, Mapping[str, Any]], outputs: Any
) -> None:
    """The tables lab_training and lab_arms.

    Args:
        losses: training.parquet of every training.
        steps: folders of their snapshots, in the same order.
        arms: name → experiment, starts_from, and the options of data, model and training.
        outputs: lab_training_csv, lab_training_parquet, and the same of lab_arms.
    """
    write_tables(_rows(losses, steps, arms), outputs, [LAB_TRAINING, LAB_ARMS])


def _rows(
    losses: Sequence[str], steps: Sequence[str], arms: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, pd.DataFrame]]:
    for path, folder in zip(losses, steps, strict=True):
        training = pd.read_parquet(path)
        yield LAB_TRAINING.name, training
        yield LAB_ARMS.name, pd.DataFrame([arm_row(training, folder, arms[training["arm"].iloc[0]])])


def arm_row(training: pd.DataFrame, steps: str | Path, arm: Mapping[str, Any]) -> dict[str, Any]:
    """The row of table lab_arms of one training.

    Args:
        training: its table of losses.
        steps: folder of its snapshots.
        arm: experiment, starts_from, data, model and training.
    """
    last = training.iloc[-1]
    (*_, snapshot) = snapshots_in(steps).values()
    shapes = {tensor.name: tensor.shape for tensor in stored_tensors(snapshot)}
    rank = arm["training"].get("low_rank", 0)
    return {
        **{name: last[name] for name in ("arm", "seed", "tokens", "loss_nats")},
        "experiment": arm["experiment"],
        "starts_from": arm["starts_from"],
        "parameters": n_trained(shapes, rank) if rank else sum(math.prod(shape) for shape in shapes.values()),
        "steps": last["step"],
        "seconds": training["seconds"].sum(),
        **{name: json.dumps(arm[name], sort_keys=True) for name in ("data", "model", "training")},
        "status": value_status(last["loss_nats"], "the loss is not finite"),
    }
