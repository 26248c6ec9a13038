"""Rule provenance: config, versions, revision and machine -> results/run.yaml."""

from internal_physics.joblog import job
from internal_physics.provenance import provenance, write_run

if __name__ == "__main__":
    with job(snakemake):
        write_run(snakemake.params.config, provenance(snakemake.scriptdir), snakemake.output.run)
