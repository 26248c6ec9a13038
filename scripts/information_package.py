"""Rule information_package: information of all conditions -> the published run-folder layout."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.families.information.information_package import information_package
from internal_physics.ground.joblog import job

if __name__ == "__main__":
    with job(snakemake):
        plots = {name: snakemake.input[name] for name in ("standard", "comparative")}
        tables = [snakemake.input[name] for name in ("information", "predictions", "prompts")]
        of_run = {name: snakemake.params[name] for name in ("models", "prompt_sets")}
        information_package(*tables, plots, dict(snakemake.output.items()), **of_run)
