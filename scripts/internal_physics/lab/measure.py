"""One job: the snapshots of a training → rows of the tables of its experiment."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch

from internal_physics.ground.errors import StoreError
from internal_physics.ground.files import whole_folder
from internal_physics.lab.experiments.experiment import Experiment, Trained
from internal_physics.lab.models.masked import is_masked
from internal_physics.lab.options import made
from internal_physics.lab.snapshots import snapshots_in
from internal_physics.models.loading import resolve_device
from internal_physics.tables.conform import conform


def measure_training(
    experiment: str,
    data: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    arm: str,
    seed: int,
    steps: str,
    output: str,
    threads: int,
) -> None:
    """Measure a training and write {table}.parquet for each table of its experiment.

    Args:
        experiment: dotted name of the module with its description.
        data: options of the arm's data, as the config gives them.
        options: what is measured, likewise.
        arm: its name.
        seed: of the training.
        steps: folder of its snapshots.
        output: a new folder.
        threads: of torch.

    Raises:
        ConfigError: for a masked model where only causal ones can be measured.
        StoreError: if the measurement gives other tables than the experiment has.
    """
    torch.set_num_threads(threads)
    described: Experiment = importlib.import_module(experiment).EXPERIMENT
    trained = Trained(arm, seed, made(described.data_options, data), snapshots_in(steps), resolve_device("auto"))
    described.require_task(masked=is_masked(trained.snapshots[trained.last_step]))
    chosen = None if described.measure_options is None else made(described.measure_options, options)
    found = importlib.import_module(described.measures).measure(trained, chosen)
    tables = {table.name: table for table in described.tables}
    if set(found) != set(tables):
        raise StoreError(f"it measured {', '.join(found)}", where=experiment, expected=", ".join(tables))
    with whole_folder(output) as folder:
        for name, rows in found.items():
            conform(rows.assign(arm=arm, seed=seed), tables[name]).to_parquet(folder / f"{name}.parquet")
