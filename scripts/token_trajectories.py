"""Rule token_trajectories: the lenses of all models -> one figure, PNG and SVG."""

from internal_physics.figures.style import save
from internal_physics.figures.token_trajectories import draw
from internal_physics.joblog import job
from internal_physics.tables import read_rows

if __name__ == "__main__":
    with job(snakemake):
        prompts = snakemake.params.prompts  # model → set and name of its prompt
        files = zip(prompts, snakemake.input.tokens, strict=True)
        save(draw({model: read_rows(file) for model, file in files}, prompts), snakemake.output)
