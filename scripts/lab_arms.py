"""Rule lab_arms: losses of all trainings -> the tables lab_training and lab_arms."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.collect import collect_arms

if __name__ == "__main__":
    with job(snakemake):
        collect_arms(snakemake.input.losses, snakemake.input.steps, snakemake.params.arms, snakemake.output)
