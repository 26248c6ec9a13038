"""Rule spectra: a snapshot -> singular values of every 2-D weight of one model."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.thermodynamics.spectra import spectra
from internal_physics.ground.joblog import job
from internal_physics.tables.rows import write_rows

if __name__ == "__main__":
    with job(snakemake):
        table = spectra(
            snapshot=snakemake.input.snapshot,
            load=snakemake.params.load,
            model=snakemake.wildcards.model,
            threads=snakemake.threads,
        )
        write_rows(table, snakemake.output.weights)
