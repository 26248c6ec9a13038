"""Rule residual_gain_result: rows and verdicts of one model -> a JSON shaped like the published result file."""

import json

from internal_physics.families.residual_gain.published import published_result
from internal_physics.ground.files import write_text
from internal_physics.ground.joblog import job
from internal_physics.tables.contract import read_metrics, read_table

if __name__ == "__main__":
    with job(snakemake):
        result = published_result(
            read_metrics([snakemake.input.metric]),
            read_table(snakemake.input.hypotheses, "hypotheses"),
            snakemake.params.prompts,
            snakemake.wildcards.model,
        )
        text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
        write_text(snakemake.output.result, text + "\n")
