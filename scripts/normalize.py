"""Rule normalize: scores -> scores_normalized, 0 to 1 over models, larger is better."""

from internal_physics.joblog import job
from internal_physics.metrics import GRADIENT_FLOW
from internal_physics.normalize import normalize_scores
from internal_physics.tables import read_table, write_table

if __name__ == "__main__":
    with job(snakemake):
        table = normalize_scores(read_table(snakemake.input.scores, "scores"), metrics=GRADIENT_FLOW)
        write_table(table, "scores_normalized", csv=snakemake.output[0], parquet=snakemake.output[1])
