"""Rule findings: tables -> results/findings.json, the sentences that the report opens with."""

import json

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.findings import as_json, find
from internal_physics.families.registry import TABLES
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        options = snakemake.params.modules, snakemake.params.confidence_level
        found = find(dict(snakemake.input.items()), TABLES, *options)
        write_text(snakemake.output.findings, json.dumps(as_json(found), indent=1, ensure_ascii=False) + "\n")
