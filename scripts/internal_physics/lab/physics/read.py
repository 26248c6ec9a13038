"""Files of the run and of the lab → table lab_physics."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.families.training.tables import TRAINING, TRAINING_KERNELS
from internal_physics.lab.physics.along import physics_along
from internal_physics.lab.physics.tables import LAB_PHYSICS
from internal_physics.lab.tables import LAB_TRAINING
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_tables


def write_physics(
    files: Mapping[str, str],
    trainings: Mapping[str, Mapping[str, Any]],
    learned: Mapping[str, Mapping[str, Any]],
    outputs: Any,
) -> None:
    """Write table lab_physics.

    Args:
        files: table → its Parquet file: training, training_kernels if there is one, lab_training, and those that
            `learned` names.
        trainings: parent → arm, seed and experiment.
        learned: experiment → table, column, and rows (pairs of a column and its value).
        outputs: lab_physics_csv and lab_physics_parquet.
    """
    kernels = files.get(TRAINING_KERNELS.name)
    rows = physics_along(
        training=read_table(files[TRAINING.name], TRAINING),
        kernels=read_table(kernels, TRAINING_KERNELS) if kernels else None,
        losses=read_table(files[LAB_TRAINING.name], LAB_TRAINING),
        learned={name: what_is_learned(pd.read_parquet(files[of["table"]]), of) for name, of in learned.items()},
        trainings=trainings,
    )
    write_tables([(LAB_PHYSICS.name, rows[list(LAB_PHYSICS.columns)])], outputs, [LAB_PHYSICS])


def what_is_learned(table: pd.DataFrame, learned: Mapping[str, Any]) -> pd.DataFrame:
    """Arm, seed, step and value of the rows that count."""
    for column, value in learned["rows"]:
        table = table[table[column] == value]
    return table[["arm", "seed", "step", learned["column"]]].rename(columns={learned["column"]: "value"})
