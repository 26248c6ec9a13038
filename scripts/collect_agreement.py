"""Rule collect_agreement: agreement of all models and conditions -> the tables agreement and agreement_means."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.agreement.collect_agreement import collect_agreement
from internal_physics.families.agreement.tables import AGREEMENT, AGREEMENT_MEANS
from internal_physics.ground.joblog import job
from internal_physics.tables.write import write_tables

if __name__ == "__main__":
    with job(snakemake):
        settings = {"seed": snakemake.params.seed, **snakemake.params.statistics}
        chunks = collect_agreement(snakemake.input.metrics, **settings)
        write_tables(chunks, snakemake.output, [AGREEMENT, AGREEMENT_MEANS])
