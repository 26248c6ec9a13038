"""Rule phases: states of one model -> flags, their agreement between prompts, baselines and change points."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.thermodynamics.options import PhaseOptions
from internal_physics.families.thermodynamics.phases import phases_by_set
from internal_physics.ground.joblog import job
from internal_physics.tables.chunks import by_set, read_chunks, write_row_files

if __name__ == "__main__":
    with job(snakemake):
        options = PhaseOptions(**snakemake.params.thermodynamics)
        states = by_set(read_chunks(snakemake.input.states))
        write_row_files(phases_by_set(states, options, seed=snakemake.params.seed), snakemake.output)
