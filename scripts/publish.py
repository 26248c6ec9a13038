"""Rule publish: information of all conditions -> the published run-folder layout."""

from internal_physics.joblog import job
from internal_physics.publish import publish
from internal_physics.tables import read_table

if __name__ == "__main__":
    with job(snakemake):
        plots = {name: snakemake.input[name] for name in ("standard", "comparative")}
        tables = (read_table(snakemake.input[name], name) for name in ("information", "predictions"))
        publish(*tables, plots, dict(snakemake.output.items()), **snakemake.params)
