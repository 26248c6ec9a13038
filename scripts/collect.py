"""Rule collect: metric rows of all models -> the tables prompts, layers, scores and isf_spectra."""

from internal_physics.collect import collect_files
from internal_physics.joblog import job
from internal_physics.table_stream import write_tables

if __name__ == "__main__":
    with job(snakemake):
        settings = {"seed": snakemake.params.seed, **snakemake.params.statistics}
        write_tables(collect_files(snakemake.input.metrics, **settings), snakemake.output)
