"""Rule fetch: a model source -> a verified safetensors snapshot."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.models.fetch import fetch
from internal_physics.models.sources import Source

if __name__ == "__main__":
    with job(snakemake):
        fetch(Source(**snakemake.params.source), snakemake.output.snapshot)
