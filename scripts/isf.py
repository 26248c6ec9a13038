"""Rule isf: tensors of one model and condition -> ISF of every prompt set."""

from functools import partial

from internal_physics.joblog import job
from internal_physics.metrics.isf import rows
from internal_physics.metrics.table import per_set_table
from internal_physics.recording.listing import listed
from internal_physics.recording.store import read_traces
from internal_physics.tables import write_metric

if __name__ == "__main__":
    with job(snakemake):
        of_set = partial(rows, confidence_level=snakemake.params.confidence_level)
        traces = read_traces(listed(*snakemake.input.records))
        write_metric(per_set_table(traces, of_set), snakemake.output.metric)
