"""The tables of the family training: numbers of checkpoints along the steps of their training."""

from internal_physics.tables.columns import IN_UNIT, MODEL, PROMPT_SET, STATUS, TEXT, UNIT_OF_VALUES, Column
from internal_physics.tables.table import Table

LOSS = "loss"  # the quantity that every figure has beside the others
OF_CHECKPOINT = {
    "parent": Column(TEXT, "", "the training: the model entry whose checkpoints these are"),
    "step": Column("int64", "training steps", "of the checkpoint", low=0),
    "model": MODEL,
}
BEGINS_PLATEAU = Column(
    "boolean", "", "whether a new plateau of the quantity begins at this checkpoint; empty for fewer than four"
)

TRAINING = Table(
    "training",
    columns=OF_CHECKPOINT
    | {
        "prompt_set": PROMPT_SET,
        "quantity": Column(TEXT, "", "loss, a score of table `scores`, or a mean over prompts of another table"),
        "unit": UNIT_OF_VALUES,
        "value": Column("float64", IN_UNIT, "of the checkpoint in the baseline, over the prompts of the set"),
        "ci_low": Column("float64", IN_UNIT, "lower end of the interval over prompts, for quantities that have one"),
        "ci_high": Column("float64", IN_UNIT, "upper end of the interval"),
        "n_prompts": Column("int64", "prompts", "prompts that the value rests on", low=0),
        "begins_plateau": BEGINS_PLATEAU,
        "status": STATUS,
    },
    key=["parent", "step", "prompt_set", "quantity"],
    finite=("value",),
    group=("parent",),
)

TRAINING_KERNELS = Table(
    "training_kernels",
    columns=OF_CHECKPOINT
    | {
        "source": Column(TEXT, "", "what the kernel is computed from", allowed=("factors", "sketch")),
        "distance_from_first": Column(
            "float64",
            "1",
            "S = 1 − tr(K₀ K)/(‖K₀‖ ‖K‖) with K₀ of the first checkpoint, over the prompts of all of them; 0 for equal "
            "shapes of the kernel, whatever its size",
            low=0,
            high=2,
        ),
        "previous_step": Column("Int64", "training steps", "of the checkpoint before; empty for the first", low=0),
        "velocity": Column(
            "float64", "1", "S between this checkpoint and the one before; empty for the first", low=0, high=2
        ),
        "trace": Column("float64", "nats² / weight²", "sum of the squared gradient norms of these prompts", low=0),
        "effective_rank": Column("float64", "prompts", "as in table `kernel_summary`", low=1),
        "n_prompts": Column("int64", "prompts", "prompts whose kernel every checkpoint of the training has", low=0),
        "begins_plateau": BEGINS_PLATEAU,
        "status": STATUS,
    },
    key=["parent", "step", "source"],
    finite=("distance_from_first", "trace"),
    group=("parent",),
)
