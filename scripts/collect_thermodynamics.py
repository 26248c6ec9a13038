"""Rule collect_thermodynamics: spectra, states, means and phases of all models -> tables, and a CSV per model."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.thermodynamics.collect_thermodynamics import collect_thermodynamics_files
from internal_physics.families.thermodynamics.published import with_published
from internal_physics.families.thermodynamics.tables import (
    PHASE_COUNTS,
    PHASES,
    SPECTRA,
    THERMODYNAMICS,
    THERMODYNAMICS_MEANS,
)
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        files = {name: snakemake.input[name] for name in ["weights", "states", "flags", "means", "layers", "counts"]}
        published = dict(zip(snakemake.params.models, snakemake.output.published, strict=True))
        chunks = with_published(collect_thermodynamics_files(**files), published)
        write_tables(chunks, snakemake.output, [SPECTRA, THERMODYNAMICS, THERMODYNAMICS_MEANS, PHASES, PHASE_COUNTS])
