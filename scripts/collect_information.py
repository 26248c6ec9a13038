"""Rule collect_information: rows of all models -> the tables information and predictions."""

from internal_physics.collect_information import collect_information_files
from internal_physics.joblog import job
from internal_physics.table_stream import write_tables

if __name__ == "__main__":
    with job(snakemake):
        pieces = collect_information_files(snakemake.input.metrics, snakemake.input.predictions)
        write_tables(pieces, snakemake.output)
