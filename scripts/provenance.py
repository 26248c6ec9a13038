"""Rule provenance: config, versions, revision and machine -> results/run.yaml."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.config.provenance import provenance, write_run
from internal_physics.families.run.ran import precision_by_model
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        made_by = provenance(snakemake.scriptdir) | {"models": precision_by_model(snakemake.input.models)}
        write_run(snakemake.params.config, made_by, snakemake.output.run)
