"""Rule correlate: prompts and scores -> correlations between metrics, over prompts and over models."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.scores.correlate import correlate_metrics
from internal_physics.families.scores.tables import CORRELATIONS, PROMPTS, SCORES
from internal_physics.ground.joblog import job
from internal_physics.tables.read import read_table
from internal_physics.tables.write import write_table

if __name__ == "__main__":
    with job(snakemake):
        table = correlate_metrics(
            read_table(snakemake.input.prompts, PROMPTS),
            read_table(snakemake.input.scores, SCORES),
            seed=snakemake.params.seed,
            n_resamples=snakemake.params.n_resamples,
            metrics=snakemake.params.metrics,
        )
        write_table(table, CORRELATIONS, csv=snakemake.output[0], parquet=snakemake.output[1])
