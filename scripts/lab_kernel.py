"""Rule lab_kernel: snapshots of trainings -> the table lab_kernel, which compares gradients of lab models."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.kernels.collect import write_kernels

if __name__ == "__main__":
    with job(snakemake):
        write_kernels(snakemake.params.trainings, snakemake.input.steps, snakemake.output, threads=snakemake.threads)
