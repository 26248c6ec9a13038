"""Rule jacobian: some prompts through one model in one condition -> the local linear map of every block in numbers."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.jacobian.jacobian import jacobian_chunks
from internal_physics.ground.joblog import job
from internal_physics.tables.chunks import write_chunks

if __name__ == "__main__":
    with job(snakemake):
        chunks = jacobian_chunks(
            snapshot=snakemake.input.snapshot,
            prompts=snakemake.params.prompts,
            load=snakemake.params.load,
            text=snakemake.params.text,
            options=snakemake.params.options,
            labels=dict(snakemake.wildcards),
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            steering=snakemake.params.steering,
            steering_files=list(snakemake.input.get("steering", [])),
        )
        write_chunks(chunks, snakemake.output.maps)
