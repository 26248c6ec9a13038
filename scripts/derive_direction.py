"""Rule derive_direction: positive and negative texts -> one steering vector per layer."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.recording.derive_direction import contrast_set

if __name__ == "__main__":
    with job(snakemake):
        contrast_set(
            snapshot=snakemake.input.snapshot,
            output=snakemake.output.vectors,
            contrast=snakemake.params.contrast,
            batch_size=snakemake.params.batch_size,
            load=snakemake.params.load,
            text=snakemake.params.text,
            labels={"model": snakemake.wildcards.model, "condition": snakemake.wildcards.contrast},
            threads=snakemake.threads,
        )
