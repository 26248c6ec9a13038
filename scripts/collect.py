"""Rule collect: metric rows of all models -> the tables prompts, layers, scores and isf_spectra."""

from internal_physics.collect import collect
from internal_physics.joblog import job
from internal_physics.tables import read_metrics, write_table

if __name__ == "__main__":
    with job(snakemake):
        tables = collect(
            read_metrics(snakemake.input.metrics), seed=snakemake.params.seed, **snakemake.params.statistics
        )
        for name, table in tables.items():
            write_table(table, name, csv=snakemake.output[f"{name}_csv"], parquet=snakemake.output[f"{name}_parquet"])
