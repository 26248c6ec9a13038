"""Rule thermodynamics: records and spectra of one model -> state of every weight on every prompt, means, scores."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.thermodynamics.thermodynamics import thermodynamics_chunks
from internal_physics.ground.joblog import job
from internal_physics.records.listing import listed
from internal_physics.records.store import read_traces
from internal_physics.tables.chunks import write_row_files
from internal_physics.tables.rows import read_rows

if __name__ == "__main__":
    with job(snakemake):
        traces, weights = read_traces(listed(*snakemake.input.records)), read_rows(snakemake.input.weights)
        settings = {"seed": snakemake.params.seed, **snakemake.params.statistics}
        write_row_files(thermodynamics_chunks(traces, weights, snakemake.params.order, **settings), snakemake.output)
