"""Rule thermodynamics: tensors and spectra of one model -> state of every weight on every prompt, means, scores."""

from internal_physics.joblog import job
from internal_physics.metrics.state_means import state_means
from internal_physics.metrics.thermodynamics import thermodynamics_of
from internal_physics.recording.listing import listed
from internal_physics.recording.store import read_traces
from internal_physics.tables import read_rows, write_rows

if __name__ == "__main__":
    with job(snakemake):
        traces, weights = read_traces(listed(*snakemake.input.records)), read_rows(snakemake.input.weights)
        found = thermodynamics_of(traces, weights, snakemake.params.order)
        means = state_means(found.states, seed=snakemake.params.seed, **snakemake.params.statistics)
        for rows, path in ((found.scores, "metric"), (found.states, "states"), (means, "means")):
            write_rows(rows, snakemake.output[path])
