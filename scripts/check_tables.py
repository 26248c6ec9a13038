"""Rule check_tables: all tables -> a file that is there only if they hold what they promise."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.registry import TABLES
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.tables.check_tables import check_tables, parts_of

if __name__ == "__main__":
    with job(snakemake):
        asked_for = {name: snakemake.params[name] for name in ("metrics", "runs", "prompts")}
        lines = check_tables(parts_of(snakemake.input, TABLES), TABLES, **asked_for)
        write_text(snakemake.output.checked, "\n".join(lines) + "\n")
