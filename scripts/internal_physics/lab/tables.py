"""Tables of the lab that no single experiment owns: arms, losses while training, and claims. No pandas."""

from internal_physics.lab.experiments.experiment import ARM_KEY, OF_ARM, STEP
from internal_physics.tables.columns import IN_UNIT, STATUS, TEXT, Column
from internal_physics.tables.table import Table

LAB_TRAINING = Table(
    "lab_training",
    columns=OF_ARM
    | {
        "step": STEP,
        "tokens": Column("int64", "tokens", "tokens that were predicted so far", low=0),
        "loss_nats": Column("float64", "nats", "mean loss of a token over the steps since the row before", low=0),
        "learning_rate": Column("float64", "1", "of AdamW at the last of these steps", low=0),
        "seconds": Column("float64", "s", "time for these steps", low=0),
        "status": STATUS,
    },
    key=[*ARM_KEY, "step"],
    finite=("loss_nats",),
    group=ARM_KEY,
)

LAB_ARMS = Table(
    "lab_arms",
    columns=OF_ARM
    | {
        "experiment": Column(TEXT, "", "whose data it reads"),
        "starts_from": Column(
            TEXT, "", "the arm with whose last weights of the same seed it began; empty for random", is_optional=True
        ),
        "parameters": Column("int64", "", "numbers that the model learns", low=0),
        "steps": Column("int64", "steps", "of the whole training", low=0),
        "tokens": Column("int64", "tokens", "tokens that were predicted in training", low=0),
        "loss_nats": Column("float64", "nats", "loss of the last row of table lab_training", low=0),
        "seconds": Column("float64", "s", "time for all steps", low=0),
        "data": Column(TEXT, "", "options of the data, as JSON"),
        "model": Column(TEXT, "", "options of the model, as JSON"),
        "training": Column(TEXT, "", "options of the training, as JSON"),
        "status": STATUS,
    },
    key=ARM_KEY,
    finite=("loss_nats",),
    group=ARM_KEY,
)

LAB_GATES = Table(
    "lab_gates",
    columns={
        "experiment": Column(TEXT, "", "where it was measured"),
        "claim": Column(TEXT, "", "of the literature, at the scale of this run"),
        "value": Column("float64", IN_UNIT, "mean over seeds of what was measured"),
        "low": Column("float64", IN_UNIT, "smallest over seeds"),
        "high": Column("float64", IN_UNIT, "largest over seeds"),
        "n_seeds": Column("int64", "seeds", "trainings that the row rests on", low=0),
        "unit": Column(TEXT, "", "of the numbers; 1 is a number without dimension"),
        "bar": Column(TEXT, "", "within which the number of every seed must be"),
        "is_hard": Column("bool", "", "whether the claim must hold at this scale"),
        "verdict": Column(TEXT, "", "the claim's", allowed=("met", "missed", "reported", "not measured")),
        "deviation": Column(TEXT, "", "how this differs from the original; empty for not at all", is_optional=True),
        "status": STATUS,
    },
    key=["experiment", "claim"],
    finite=("value", "low", "high"),
    group=["experiment"],
)
