"""Rule difference_distributions: prompts -> one figure per steered prompt set, PNG and SVG."""

from internal_physics.figures.by_set import save_by_set
from internal_physics.figures.difference_distributions import draw
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        save_by_set(draw, read_table(snakemake.input.table, "prompts"), snakemake.output, **snakemake.params)
