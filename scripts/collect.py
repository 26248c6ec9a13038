"""Rule collect: metric rows of all models -> the tables prompts, layers and scores."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.scores.collect import collect_files
from internal_physics.families.scores.tables import LAYERS, PROMPTS, SCORES
from internal_physics.ground.joblog import job
from internal_physics.tables.units import chunks_with_units
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        settings = {"seed": snakemake.params.seed, **snakemake.params.statistics}
        scored = snakemake.params.scored
        chunks = collect_files(snakemake.input.metrics, snakemake.input.prompts, scored, **settings)
        chunks = chunks_with_units(chunks, SCORES.name, snakemake.params.units)
        write_tables(chunks, snakemake.output, [PROMPTS, LAYERS, SCORES])
