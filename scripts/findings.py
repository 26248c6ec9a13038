"""Rule findings: tables -> results/findings.json, the sentences that the report opens with."""

import json

from internal_physics.families.findings import gather
from internal_physics.families.registry import TABLES
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.tables.read import read_table

if __name__ == "__main__":
    with job(snakemake):
        tables = {name: read_table(path, TABLES[name]) for name, path in snakemake.input.items()}
        findings = gather(snakemake.params.modules, tables)
        write_text(snakemake.output.findings, json.dumps(findings, indent=1, ensure_ascii=False) + "\n")
