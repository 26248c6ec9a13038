"""Rule training: tables of all models -> what they say about checkpoints along the steps of their training."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.training.along import along_training, read_tables
from internal_physics.families.training.tables import TRAINING
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_table

if __name__ == "__main__":
    with job(snakemake):
        tables, models = read_tables(dict(snakemake.input.items()))
        rows = along_training(tables, models, snakemake.params.penalty)
        write_table(rows, TRAINING, csv=snakemake.output[0], parquet=snakemake.output[1])
