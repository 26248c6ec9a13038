"""Rule lab_physics: what the run measured on checkpoints of the lab, losses and what is known -> table lab_physics."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.physics.read import write_physics

if __name__ == "__main__":
    with job(snakemake):
        write_physics(
            dict(snakemake.input.items()), snakemake.params.trainings, snakemake.params.learned, snakemake.output
        )
