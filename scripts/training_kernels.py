"""Rule training_kernels: kernels of all models -> how far those of checkpoints have moved, and how fast."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.kernel.tables import KERNEL, KERNEL_SUMMARY
from internal_physics.families.run.tables import MODELS
from internal_physics.families.training.kernels import kernels_along_training
from internal_physics.families.training.tables import TRAINING_KERNELS
from internal_physics.ground.joblog import job
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_table

if __name__ == "__main__":
    with job(snakemake):
        files = snakemake.input
        summary, models = read_table(files.summary, KERNEL_SUMMARY), read_table(files.models, MODELS)
        rows = kernels_along_training(read_table(files.kernel, KERNEL), summary, models, snakemake.params.penalty)
        write_table(rows, TRAINING_KERNELS, csv=snakemake.output[0], parquet=snakemake.output[1])
