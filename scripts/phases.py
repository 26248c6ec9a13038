"""Rule phases: states of one model -> flags, their agreement between prompts, baselines and change points."""

from internal_physics.joblog import job
from internal_physics.metrics.phases import PhaseOptions, phases
from internal_physics.tables import read_rows, write_rows

if __name__ == "__main__":
    with job(snakemake):
        options = PhaseOptions.from_config(snakemake.params.thermodynamics)
        found = phases(read_rows(snakemake.input.states), options, seed=snakemake.params.seed)
        write_rows(found.flags, snakemake.output.flags)
        write_rows(found.layers, snakemake.output.layers)
        write_rows(found.counts, snakemake.output.counts)
