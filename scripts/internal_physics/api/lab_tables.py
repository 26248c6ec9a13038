"""Tables of the lab, for `show`: which there are, and what each is about."""

from functools import cache

from internal_physics.lab.experiments.registry import EXPERIMENTS
from internal_physics.lab.kernels.tables import LAB_KERNEL
from internal_physics.lab.kernels.tables import TITLE as KERNELS_TITLE
from internal_physics.lab.tables import LAB_ARMS, LAB_GATES, LAB_TRAINING
from internal_physics.tables.table import Table

_SHARED = {
    LAB_ARMS: "Every training of the lab: its data, its model, and how it ended.",
    LAB_TRAINING: "The losses of every training of the lab while it ran.",
    LAB_GATES: "Claims of the literature beside what was measured here.",
    LAB_KERNEL: f"{KERNELS_TITLE}.",
}


@cache
def lab_tables() -> dict[str, tuple[Table, str]]:
    """Name → the table of the lab, and a sentence about it."""
    of_experiments = {
        table.name: (table, f"Experiment {experiment.name} of the lab: {experiment.title}.")
        for experiment in EXPERIMENTS.values()
        for table in experiment.tables
    }
    return of_experiments | {table.name: (table, about) for table, about in _SHARED.items()}
