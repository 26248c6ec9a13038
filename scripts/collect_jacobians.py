"""Rule collect_jacobians: local linear maps of all models and conditions -> the table jacobians."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.jacobian.collect_jacobians import collect_jacobians
from internal_physics.families.jacobian.tables import JACOBIANS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        write_tables(collect_jacobians(snakemake.input.maps), snakemake.output, [JACOBIANS])
