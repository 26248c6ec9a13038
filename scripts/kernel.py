"""Rule kernel: records of one model and condition -> the tangent kernel between its prompts."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.kernel.from_records import kernels_of
from internal_physics.families.kernel.kernel_files import write_kernels
from internal_physics.ground.joblog import job
from internal_physics.records.listing import listed

if __name__ == "__main__":
    with job(snakemake):
        write_kernels(kernels_of(listed(*snakemake.input.records)), snakemake.output.metric)
