"""Rule lab_report: claims, arms and figures of the lab -> a self-contained HTML page of it alone."""

from pathlib import Path

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.report.lab import read_lab_section, render_lab

if __name__ == "__main__":
    with job(snakemake):
        section = read_lab_section(snakemake.input, snakemake.params.experiments)
        write_text(snakemake.output.report, render_lab(section, Path(snakemake.input.template[0]).parent))
