"""Rule gains: residual-gain rows of all models -> the table gains."""

from internal_physics.gains import gains_table
from internal_physics.joblog import job
from internal_physics.tables import read_metrics, write_table

if __name__ == "__main__":
    with job(snakemake):
        table = gains_table(read_metrics(snakemake.input.metrics), snakemake.params.prompts)
        write_table(table, "gains", csv=snakemake.output[0], parquet=snakemake.output[1])
