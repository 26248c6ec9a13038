"""Rule table: rows of one metric of all models -> the table that a family makes of them."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.tables.from_metric import write_from_metric

if __name__ == "__main__":
    with job(snakemake):
        table = snakemake.wildcards.table
        outputs = {f"{table}_{kind}": snakemake.output[kind] for kind in ("csv", "parquet")}
        write_from_metric(snakemake.params.module, snakemake.input.metrics, outputs)
