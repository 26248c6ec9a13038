"""Rule hypotheses: gains -> every conjecture about residual gain with its verdict."""

from internal_physics.hypotheses import judge_hypotheses
from internal_physics.joblog import job
from internal_physics.table_parts import table_parts
from internal_physics.tables import write_table

if __name__ == "__main__":
    with job(snakemake):
        table = judge_hypotheses(
            table_parts(snakemake.input.gains, "gains", ["model", "condition"], n_rows=1),
            snakemake.params.prompts,
            seed=snakemake.params.seed,
            **snakemake.params.statistics,
        )
        write_table(table, "hypotheses", csv=snakemake.output[0], parquet=snakemake.output[1])
