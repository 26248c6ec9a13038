"""Rule collect_information: rows of all models -> the tables information and predictions."""

from internal_physics.families.information.collect import collect_information_files
from internal_physics.ground.joblog import job
from internal_physics.tables.stream import write_tables

if __name__ == "__main__":
    with job(snakemake):
        pieces = collect_information_files(snakemake.input.metrics, snakemake.input.predictions)
        write_tables(pieces, snakemake.output)
