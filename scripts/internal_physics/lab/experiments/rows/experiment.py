"""The description of the experiment `rows`."""

from internal_physics.config.options.lab_rows import RowsData
from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP, Experiment
from internal_physics.tables.columns import STATUS, Column
from internal_physics.tables.table import Table

LAB_ROWS = Table(
    "lab_rows",
    columns=OF_ARM
    | {
        "step": STEP,
        "loss_nats": Column("float64", "nats", "mean loss of a token over all rows", low=0),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step"],
    finite=("loss_nats",),
    group=ARM_KEY,
)

EXPERIMENT = Experiment(
    name="rows",
    title="Rows of a file",
    data_options=RowsData,
    data="internal_physics.lab.experiments.rows.data",
    measures="internal_physics.lab.experiments.rows.measures",
    tables=(LAB_ROWS,),
    input_files=("file",),
)
