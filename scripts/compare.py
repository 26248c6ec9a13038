"""Rule compare: metric rows of all conditions -> every condition against the baseline."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.comparison.compare import compare_files
from internal_physics.families.comparison.tables import COMPARISONS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        settings = {"seed": snakemake.params.seed, **snakemake.params.statistics}
        write_tables(compare_files(snakemake.input.metrics, **settings), snakemake.output, [COMPARISONS])
