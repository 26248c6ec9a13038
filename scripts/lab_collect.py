"""Rule lab_collect: what was measured on the arms of one experiment -> its tables."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.collect import collect_experiment

if __name__ == "__main__":
    with job(snakemake):
        collect_experiment(snakemake.params.experiment, snakemake.input.rows, snakemake.output)
