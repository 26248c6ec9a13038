"""Rule gains: residual-gain rows of all models -> the table gains."""

from internal_physics.gains import collect_gains
from internal_physics.joblog import job
from internal_physics.table_stream import write_tables

if __name__ == "__main__":
    with job(snakemake):
        write_tables(collect_gains(snakemake.input.metrics, snakemake.params.prompts), snakemake.output)
