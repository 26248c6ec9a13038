"""Rule normalize: scores -> scores_normalized, 0 to 1 over models, larger is better."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.scores.normalize import normalize_scores
from internal_physics.families.scores.tables import SCORES, SCORES_NORMALIZED
from internal_physics.ground.joblog import job
from internal_physics.tables.read import read_table
from internal_physics.tables.units import with_units
from internal_physics.tables.write import write_table

if __name__ == "__main__":
    with job(snakemake):
        scales = [read_table(path, SCORES) for path in snakemake.input.get("scale", [])]
        scores = read_table(snakemake.input.scores, SCORES)
        table = normalize_scores(scores, metrics=snakemake.params.metrics, scale=scales[0] if scales else None)
        table = with_units(table, snakemake.params.units)
        write_table(table, SCORES_NORMALIZED, csv=snakemake.output[0], parquet=snakemake.output[1])
