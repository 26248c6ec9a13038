"""Rule decided: the followed tokens of all models -> where answers are decided, by prompt and in the mean."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.information.decided import decided_files
from internal_physics.families.information.tables import DECIDED, DECIDED_MEANS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        chunks = decided_files(
            snakemake.input.followed,
            snakemake.input.prompts,
            seed=snakemake.params.seed,
            **snakemake.params.statistics,
        )
        write_tables(chunks, snakemake.output, [DECIDED, DECIDED_MEANS])
