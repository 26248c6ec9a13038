"""Rule metric: records of one model and condition -> tidy rows of the metrics of one metric module."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.records.listing import listed
from internal_physics.records.store import read_traces
from internal_physics.tables.chunks import write_row_files
from internal_physics.tables.measure import measure
from internal_physics.tables.rows import metric_of

if __name__ == "__main__":
    with job(snakemake):
        traces = read_traces(listed(*snakemake.input.records))
        rows = measure(snakemake.params.module, traces, **snakemake.params.options)
        write_row_files(rows, {metric_of(path): path for path in snakemake.output})
