"""Rule figure: tables -> one kind of figure, once for each prompt set, for each model or for the run, PNG and SVG."""

from internal_physics.figures.draw import draw_figures
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        inputs, options = dict(snakemake.input.items()), snakemake.params.options
        draw_figures(snakemake.params.module, inputs, snakemake.output, options)
