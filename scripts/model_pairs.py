"""Rule model_pairs: metric rows of all models -> every two models on the same prompts."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.pairs.model_pairs import pair_files
from internal_physics.families.pairs.tables import MODEL_PAIRS
from internal_physics.ground.joblog import job
from internal_physics.tables.units import with_units
from internal_physics.tables.write import write_table

if __name__ == "__main__":
    with job(snakemake):
        settings = {"seed": snakemake.params.seed, **snakemake.params.statistics}
        inputs = snakemake.input
        table = pair_files(inputs.metrics, inputs.prompts, snakemake.params.models, **settings)
        table = with_units(table, snakemake.params.units)
        write_table(table, MODEL_PAIRS, csv=snakemake.output[0], parquet=snakemake.output[1])
