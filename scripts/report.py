"""Rule report: tables, figures and run file -> one self-contained HTML page."""

import json
from pathlib import Path

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.registry import FAMILIES, FOLDER, ONLY_WITH, TABLES
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.ground.strict_yaml import load_yaml
from internal_physics.report.build import WHOLE, figure_paths, render_report, with_something_to_show
from internal_physics.report.lab import read_lab_section
from internal_physics.report.parts import MAX_ROWS
from internal_physics.report.texts import gather_texts
from internal_physics.tables.preview import read_previews

if __name__ == "__main__":
    with job(snakemake):
        texts = gather_texts(FAMILIES, FOLDER)
        tables = read_previews(snakemake.input, TABLES, {*WHOLE, *texts.whole}, MAX_ROWS)
        html = render_report(
            tables=tables,
            figures=with_something_to_show(figure_paths(snakemake.input.figures), tables, ONLY_WITH),
            run=load_yaml(snakemake.input.run),
            findings=json.loads(Path(snakemake.input.findings).read_text(encoding="utf-8")),
            lab=read_lab_section(snakemake.input, snakemake.params.experiments),
            texts=texts,
            template_dir=Path(snakemake.input.template[0]).parent,
            threads=snakemake.threads,
        )
        write_text(snakemake.output.report, html)
