"""Rule collect_information: rows of all models -> the tables information and predictions."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.information.collect_information import collect_information_files
from internal_physics.families.information.tables import INFORMATION, PREDICTIONS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        chunks = collect_information_files(snakemake.input.metrics, snakemake.input.predictions)
        write_tables(chunks, snakemake.output, [INFORMATION, PREDICTIONS])
