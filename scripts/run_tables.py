"""Rule run_tables: prompts as read, snapshots and the config -> the tables models, prompts_read and conditions."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.run.run_tables import run_tables
from internal_physics.families.run.tables import CONDITIONS, MODELS, PROMPTS_READ
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        files = {name: snakemake.input[name] for name in ("prompts", "snapshots")}
        config = {name: snakemake.params[name] for name in ("models", "notes", "conditions", "runs")}
        write_tables(run_tables(**files, **config), snakemake.output, [MODELS, PROMPTS_READ, CONDITIONS])
