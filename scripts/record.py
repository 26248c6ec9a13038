"""Rule record: the prompts of one set through one model -> one Parquet file of tensors each."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.recording.record import record_set

if __name__ == "__main__":
    with job(snakemake):
        record_set(
            snapshot=snakemake.input.snapshot,
            outputs=snakemake.output.tensors,
            listing=snakemake.output.listing,
            prompts=snakemake.params.prompts,
            load=snakemake.params.load,
            record=snakemake.params.record,
            text=snakemake.params.text,
            steering=snakemake.params.steering,
            steering_file=snakemake.input.get("steering"),
            labels={**snakemake.wildcards, "prompt_set": snakemake.params.prompt_set},
            threads=snakemake.threads,
        )
