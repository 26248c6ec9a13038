"""Rule normalize: scores -> scores_normalized, 0 to 1 over models, larger is better."""

from internal_physics.families.scores.normalize import normalize_scores
from internal_physics.ground.joblog import job
from internal_physics.tables.contract import read_table, write_table

if __name__ == "__main__":
    with job(snakemake):
        table = normalize_scores(read_table(snakemake.input.scores, "scores"), metrics=snakemake.params.metrics)
        write_table(table, "scores_normalized", csv=snakemake.output[0], parquet=snakemake.output[1])
