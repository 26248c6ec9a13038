"""Rule watched_tokens: comparisons -> one figure per steered prompt set, PNG and SVG."""

from internal_physics.figures.by_set import save_by_set
from internal_physics.figures.watched_tokens import draw
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        save_by_set(draw, read_table(snakemake.input.table, "comparisons"), snakemake.output, **snakemake.params)
