"""Rule prompts_read: footers of the records of one model -> each prompt as that model read it."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.run.prompts_read import prompts_read
from internal_physics.ground.joblog import job
from internal_physics.records.listing import listed
from internal_physics.tables.rows import write_rows

if __name__ == "__main__":
    with job(snakemake):
        rows = prompts_read(listed(*snakemake.input.records), snakemake.input.snapshot)
        write_rows(rows, snakemake.output.prompts)
