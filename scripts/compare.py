"""Rule compare: metric rows of all conditions -> every condition against the baseline."""

from internal_physics.compare import compare
from internal_physics.joblog import job
from internal_physics.tables import read_metrics, write_table

if __name__ == "__main__":
    with job(snakemake):
        table = compare(
            read_metrics(snakemake.input.metrics), seed=snakemake.params.seed, **snakemake.params.statistics
        )
        write_table(table, "comparisons", csv=snakemake.output[0], parquet=snakemake.output[1])
