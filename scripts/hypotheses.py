"""Rule hypotheses: gains -> every conjecture about residual gain with its verdict."""

from internal_physics.hypotheses import judge_hypotheses
from internal_physics.joblog import job
from internal_physics.tables import read_table, write_table

if __name__ == "__main__":
    with job(snakemake):
        table = judge_hypotheses(
            read_table(snakemake.input.gains, "gains"),
            snakemake.params.prompts,
            seed=snakemake.params.seed,
            **snakemake.params.statistics,
        )
        write_table(table, "hypotheses", csv=snakemake.output[0], parquet=snakemake.output[1])
