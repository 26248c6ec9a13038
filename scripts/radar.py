"""Rule radar: scores_normalized -> one figure per prompt set, PNG and SVG."""

from internal_physics.figures.by_set import save_by_set
from internal_physics.figures.radar import draw
from internal_physics.joblog import job
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        n_prompts = read_table(snakemake.input.scores, "scores").groupby("prompt_set").n_prompts.max()
        save_by_set(
            lambda table, name, models: draw(table, name, models=models, n_prompts=n_prompts[name], show_flagged=True),
            read_table(snakemake.input.table, "scores_normalized"),
            snakemake.output,
            **snakemake.params,
        )
