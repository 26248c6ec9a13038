"""Rule publish: information of all conditions -> the published run-folder layout."""

from internal_physics.joblog import job
from internal_physics.publish import publish

if __name__ == "__main__":
    with job(snakemake):
        plots = {name: snakemake.input[name] for name in ("standard", "comparative")}
        tables = snakemake.input.information, snakemake.input.predictions
        publish(*tables, plots, dict(snakemake.output.items()), **snakemake.params)
