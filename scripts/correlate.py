"""Rule correlate: prompts and scores -> correlations between metrics, over prompts and over models."""

from internal_physics.families.scores.correlate import correlate_metrics
from internal_physics.ground.joblog import job
from internal_physics.tables.contract import read_table, write_table

if __name__ == "__main__":
    with job(snakemake):
        table = correlate_metrics(
            read_table(snakemake.input.prompts, "prompts"),
            read_table(snakemake.input.scores, "scores"),
            seed=snakemake.params.seed,
            n_resamples=snakemake.params.n_resamples,
            metrics=snakemake.params.metrics,
        )
        write_table(table, "correlations", csv=snakemake.output[0], parquet=snakemake.output[1])
