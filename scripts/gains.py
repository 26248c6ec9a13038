"""Rule gains: residual-gain rows of all models -> the table gains."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.residual_gain.gains import collect_gains
from internal_physics.families.residual_gain.tables import GAINS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        write_tables(collect_gains(snakemake.input.metrics, snakemake.input.prompts), snakemake.output, [GAINS])
