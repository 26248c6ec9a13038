"""Rule lab_measure: the snapshots of one training -> rows of the tables of its experiment."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.measure import measure_training

if __name__ == "__main__":
    with job(snakemake):
        measure_training(
            snakemake.params.experiment,
            snakemake.params.data,
            snakemake.params.options,
            arm=snakemake.wildcards.arm,
            seed=int(snakemake.wildcards.seed),
            steps=snakemake.input.steps,
            output=snakemake.output.rows,
            threads=snakemake.threads,
        )
