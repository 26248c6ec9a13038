"""Rule explorer: tables and lenses -> one HTML page in which a reader chooses what is drawn."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.registry import FAMILIES, FOLDER, TABLES
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.report.explorer.page import render_page
from internal_physics.report.explorer.payload import build_payload
from internal_physics.report.texts import gather_texts

if __name__ == "__main__":
    with job(snakemake):
        files = dict(snakemake.input.items())
        paths = {name: path for name, path in files.items() if name in TABLES}
        options = {"lenses": snakemake.input.lenses, "confidence_level": snakemake.params.confidence_level}
        payload = build_payload(paths, TABLES, FAMILIES, gather_texts(FAMILIES, FOLDER), **options)
        write_text(snakemake.output.explorer, render_page(payload))
