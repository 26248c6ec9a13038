"""Rule check_tables: all tables -> a file that is there only if they hold what they promise."""

from internal_physics.check_tables import check_tables
from internal_physics.files import write_text
from internal_physics.joblog import job
from internal_physics.tables import read_tables

if __name__ == "__main__":
    with job(snakemake):
        lines = check_tables(read_tables(snakemake.input), **snakemake.params)
        write_text(snakemake.output.checked, "\n".join(lines) + "\n")
