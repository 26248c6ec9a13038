"""Rule report: tables, figures and run file -> one self-contained HTML page."""

from pathlib import Path

from internal_physics.files import write_text
from internal_physics.joblog import job
from internal_physics.report import figure_paths, render_report
from internal_physics.strict_yaml import load_yaml
from internal_physics.tables import read_tables

if __name__ == "__main__":
    with job(snakemake):
        html = render_report(
            tables=read_tables(snakemake.input),
            figures=figure_paths(snakemake.input.figures),
            run=load_yaml(snakemake.input.run),
            template_dir=Path(snakemake.input.texts[0]).parent,
        )
        write_text(snakemake.output.report, html)
