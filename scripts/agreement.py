"""Rule agreement: records of one model and condition, and of what it is compared with -> how far they agree."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.agreement.pairs import agreement_chunks
from internal_physics.ground.joblog import job
from internal_physics.tables.chunks import coalesce, write_row_files

if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        chunks = agreement_chunks(inputs.records, inputs.references, named=snakemake.params.named)
        write_row_files(coalesce(("metric", chunk) for chunk in chunks), snakemake.output)
