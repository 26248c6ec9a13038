"""Rule token_trajectories: the lenses of all models -> one figure, PNG and SVG."""

from internal_physics.figures.style import save
from internal_physics.figures.token_trajectories import draw
from internal_physics.joblog import job
from internal_physics.tables import concatenated

if __name__ == "__main__":
    with job(snakemake):
        settings = dict(snakemake.params)
        files = zip(settings.pop("models"), snakemake.input.tokens, strict=True)
        save(draw({model: concatenated([file]) for model, file in files}, **settings), snakemake.output)
