"""Rule residual_gain_result: rows and verdicts of one model -> a JSON shaped like the published result file."""

import json

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.residual_gain.residual_gain_result import published_result
from internal_physics.families.residual_gain.tables import HYPOTHESES
from internal_physics.families.run.tables import PROMPTS_READ
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import read_metrics

if __name__ == "__main__":
    with job(snakemake):
        result = published_result(
            read_metrics([snakemake.input.metric]),
            read_table(snakemake.input.hypotheses, HYPOTHESES),
            read_table(snakemake.input.prompts, PROMPTS_READ, [("model", "=", snakemake.wildcards.model)]),
            snakemake.wildcards.model,
        )
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        write_text(snakemake.output.result, text + "\n")
