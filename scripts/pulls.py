"""Rule pulls: states of the weights of all models -> what each prompt, and each prompt set, pulls at."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.thermodynamics.pulls import pulls_files
from internal_physics.families.thermodynamics.tables import PULLS, PULLS_MEANS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        chunks = pulls_files(snakemake.input.states, seed=snakemake.params.seed, **snakemake.params.statistics)
        write_tables(chunks, snakemake.output, [PULLS, PULLS_MEANS])
