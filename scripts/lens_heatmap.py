"""Rule lens_heatmap: the lens of one model -> one figure, PNG and SVG."""

from internal_physics.figures.lens_heatmap import draw
from internal_physics.figures.style import save
from internal_physics.joblog import job
from internal_physics.tables import read_rows

if __name__ == "__main__":
    with job(snakemake):
        positions = read_rows(snakemake.input.positions)
        save(draw(positions, snakemake.wildcards.model, *snakemake.params.prompt), snakemake.output)
