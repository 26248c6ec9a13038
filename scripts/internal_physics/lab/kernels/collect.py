"""All trainings with something to compare → the table `lab_kernel`, in one job of seconds."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from internal_physics.ground.status import value_status
from internal_physics.lab.experiments.experiment import Experiment, Trained
from internal_physics.lab.kernels.record import kernel_of
from internal_physics.lab.kernels.study import Study
from internal_physics.lab.kernels.tables import LAB_KERNEL
from internal_physics.lab.options import made
from internal_physics.lab.snapshots import snapshots_in
from internal_physics.tables.write import write_tables


def write_kernels(trainings: Sequence[Mapping[str, Any]], steps: Sequence[str], outputs: Any, *, threads: int) -> None:
    """Write the table.

    Args:
        trainings: of each, the arm, the seed, its data options, and the module with its experiment's description.
        steps: folders of their snapshots, in the same order.
        outputs: lab_kernel_csv and lab_kernel_parquet.
        threads: of torch.
    """
    torch.set_num_threads(threads)
    rows = [row for of, folder in zip(trainings, steps, strict=True) for row in _of_training(of, folder)]
    write_tables([(LAB_KERNEL.name, pd.DataFrame(rows, columns=list(LAB_KERNEL.columns)))], outputs, [LAB_KERNEL])


def _of_training(of: Mapping[str, Any], folder: str) -> Iterator[Mapping[str, Any]]:
    described: Experiment = importlib.import_module(of["experiment"]).EXPERIMENT
    trained = Trained(of["arm"], of["seed"], made(described.data_options, of["data"]), snapshots_in(folder))
    study = importlib.import_module(described.kernels).study(trained)
    if study is not None:
        yield from kernel_rows(trained, study, described.name)


def kernel_rows(trained: Trained, study: Study, experiment: str) -> Iterator[Mapping[str, Any]]:
    """Rows of the table, for every snapshot of a training."""
    for step, snapshot in trained.snapshots.items():
        kernel = kernel_of(snapshot, study.scalars)
        for number in study.numbers(kernel.matrix()):
            yield {
                "arm": trained.arm,
                "seed": trained.seed,
                "experiment": experiment,
                "step": step,
                "exposures": step * study.exposures_per_step,
                "quantity": number.quantity,
                "of": number.of,
                "value": number.value,
                "n_scalars": len(study.scalars),
                "source": kernel.source,
                "status": value_status(number.value, "the gradients have no such number"),
            }
