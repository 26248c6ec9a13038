"""Rule collect_information: rows of all models -> the tables information and predictions."""

from internal_physics.collect_information import collect_information
from internal_physics.joblog import job
from internal_physics.tables import read_metrics, read_rows, write_table

if __name__ == "__main__":
    with job(snakemake):
        tables = collect_information(read_metrics(snakemake.input.metrics), read_rows(*snakemake.input.predictions))
        for name, table in tables.items():
            write_table(table, name, csv=snakemake.output[f"{name}_csv"], parquet=snakemake.output[f"{name}_parquet"])
