"""The description of the family training: checkpoints along the steps of their training."""

from internal_physics.families.family import CHECKPOINTS, FACTORS, SKETCHES, Family, Figure, Needs, Per
from internal_physics.families.training.tables import TRAINING, TRAINING_KERNELS

ASKED: Needs = ((CHECKPOINTS,),)
WITH_KERNEL: Needs = (*ASKED, ("kernel",), (FACTORS, SKETCHES))

FAMILY = Family(
    name="training",
    title="Along training",
    tables={TRAINING: ASKED, TRAINING_KERNELS: WITH_KERNEL},
    figures=(
        Figure("along_training", Per.PROMPT_SET, tables=("training",), params=("prompt_sets",), needs=ASKED),
        Figure("kernel_along_training", Per.RUN, tables=("training", "training_kernels"), needs=WITH_KERNEL),
    ),
)
