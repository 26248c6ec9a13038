"""Rule lab_gates: tables of all experiments -> claims beside what was measured, and which are met."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.lab.gates import write_gates

if __name__ == "__main__":
    with job(snakemake):
        write_gates(snakemake.params.experiments, dict(snakemake.input.items()), snakemake.output)
