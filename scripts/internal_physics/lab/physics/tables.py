"""Table lab_physics: what the run measured on checkpoints of the lab, beside what they know. No pandas."""

from internal_physics.lab.experiments.experiment import OF_ARM
from internal_physics.tables.columns import IN_UNIT, STATUS, TEXT, UNIT_OF_VALUES, Column
from internal_physics.tables.table import Table

LEARNED, LOSS, VELOCITY, RANK = "learned", "training_loss", "kernel_velocity", "kernel_effective_rank"
ALL_SETS = "all sets"
KNOWN, OTHER, ANY = "known", "other", "any"

LAB_PHYSICS = Table(
    "lab_physics",
    columns={
        "parent": Column(TEXT, "", "the training: the model entry whose checkpoints these are"),
        **OF_ARM,
        "prompt_set": Column(TEXT, "", "named prompt set; all sets: not of a single one"),
        "texts": Column(
            TEXT,
            "",
            "known: the prompt set with the smallest loss at the last checkpoint of this training; other: another set; "
            "any: not of a single set",
            allowed=(KNOWN, OTHER, ANY),
        ),
        "quantity": Column(
            TEXT,
            "",
            "learned: what the experiment counts; training_loss; kernel_velocity and kernel_effective_rank, of table "
            "`training_kernels`; or one of table `training`",
        ),
        "unit": UNIT_OF_VALUES,
        "step": Column("int64", "training steps", "of the checkpoint", low=0),
        "previous_step": Column("Int64", "training steps", "of the checkpoint before; empty for the first", low=0),
        "value": Column("float64", IN_UNIT, "at the checkpoint; a velocity is from the checkpoint before to this one"),
        "moves_most": Column("bool", "", "whether it changes most between the checkpoint before and this one"),
        "status": STATUS,
    },
    key=["parent", "prompt_set", "quantity", "step"],
    finite=("value",),
    group=("parent",),
)
