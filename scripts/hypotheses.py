"""Rule hypotheses: gains -> every conjecture about residual gain with its verdict."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.residual_gain.hypotheses import gains_with_text, judge_hypotheses
from internal_physics.families.residual_gain.tables import HYPOTHESES
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_table

if __name__ == "__main__":
    with job(snakemake):
        table = judge_hypotheses(
            gains_with_text(snakemake.input.gains, snakemake.input.prompts),
            seed=snakemake.params.seed,
            **snakemake.params.statistics,
        )
        write_table(table, HYPOTHESES, csv=snakemake.output[0], parquet=snakemake.output[1])
