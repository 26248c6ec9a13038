"""Rule lab_train: an arm of the lab and a seed -> a trained model, with its snapshots and its losses."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.train.job import train_arm

if __name__ == "__main__":
    with job(snakemake):
        train_arm(
            snakemake.params.data,
            snakemake.params.arm,
            name=snakemake.wildcards.arm,
            seed=int(snakemake.wildcards.seed),
            first_weights=next(iter(snakemake.input.first_weights), None),
            losses=snakemake.output.losses,
            steps=snakemake.output.steps,
            unfinished=snakemake.params.unfinished,
            threads=snakemake.threads,
            code=snakemake.params.begun_by,
        )
