"""Rule hypotheses: gains -> every conjecture about residual gain with its verdict."""

from internal_physics.families.residual_gain.hypotheses import judge_hypotheses
from internal_physics.ground.joblog import job
from internal_physics.tables.contract import write_table
from internal_physics.tables.parts import table_parts

if __name__ == "__main__":
    with job(snakemake):
        table = judge_hypotheses(
            table_parts(snakemake.input.gains, "gains", ["model", "condition"], n_rows=1),
            snakemake.params.prompts,
            seed=snakemake.params.seed,
            **snakemake.params.statistics,
        )
        write_table(table, "hypotheses", csv=snakemake.output[0], parquet=snakemake.output[1])
