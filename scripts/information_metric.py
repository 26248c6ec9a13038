"""Rule information_metric: information -> one figure per quantity, PNG and SVG."""

from internal_physics.figures.information_metric import draw
from internal_physics.figures.style import save
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        save(draw(read_table(snakemake.input.table, "information"), **snakemake.params), snakemake.output)
