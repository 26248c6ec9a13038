"""Rule provenance: config, versions, revision and machine -> results/run.yaml."""

from internal_physics.config.provenance import provenance, write_run
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        write_run(snakemake.params.config, provenance(snakemake.scriptdir), snakemake.output.run)
