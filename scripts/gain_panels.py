"""Rule gain_panels: gains, layers and hypotheses -> four panels for each model, PNG and SVG."""

from internal_physics.figures.by_set import outputs_named
from internal_physics.figures.gain_panels import draw
from internal_physics.figures.style import save
from internal_physics.joblog import job
from internal_physics.tables import read_tables

if __name__ == "__main__":
    with job(snakemake):
        tables, settings = read_tables(snakemake.input), snakemake.params.statistics
        for model in snakemake.params.models:
            figure = draw(**tables, model=model, seed=snakemake.params.seed, **settings)
            save(figure, outputs_named(snakemake.output, model, "model"))
