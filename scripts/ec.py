"""Rule ec: tensors of one model and condition -> EC of every prompt."""

from internal_physics.joblog import job
from internal_physics.metrics.ec import rows
from internal_physics.metrics.table import per_prompt_pieces
from internal_physics.recording.listing import listed
from internal_physics.recording.store import read_traces
from internal_physics.table_stream import write_pieces

if __name__ == "__main__":
    with job(snakemake):
        traces = read_traces(listed(*snakemake.input.records))
        write_pieces(per_prompt_pieces(traces, rows), snakemake.output.metric)
