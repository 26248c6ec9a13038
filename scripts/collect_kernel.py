"""Rule collect_kernel: kernels of all models and conditions, and prompts_read -> the tables of the family kernel."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.kernel.collect_kernel import collect_kernel
from internal_physics.families.kernel.tables import TABLES
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.joblog import job
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        prompts = read_table(snakemake.input.prompts, PROMPTS_READ)
        chunks = collect_kernel(
            snakemake.input.metrics, prompts, seed=snakemake.params.seed, n_resamples=snakemake.params.n_resamples
        )
        write_tables(chunks, snakemake.output, TABLES)
