"""Rule gain_panels: gains, layers and hypotheses -> four panels for each model, PNG and SVG."""

from internal_physics.figures.by_set import outputs_named
from internal_physics.figures.gain_panels import draw, rows_of
from internal_physics.figures.style import save
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        for model in snakemake.params.models:
            tables = {name: read_table(snakemake.input[name], name, wanted) for name, wanted in rows_of(model).items()}
            figure = draw(**tables, model=model, seed=snakemake.params.seed, **snakemake.params.statistics)
            save(figure, outputs_named(snakemake.output, model, "model"))
