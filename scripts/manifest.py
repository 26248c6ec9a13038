"""Rule manifest: what the config makes -> results/manifest.txt, and outputs of other configs in results/aside."""

import internal_physics.ground.quick_imports  # noqa: F401  (before all others)
from internal_physics.ground.joblog import job
from internal_physics.plan.manifest import write_manifest

if __name__ == "__main__":
    with job(snakemake):
        write_manifest(**{name: snakemake.params[name] for name in ("outputs", "config_checksum", "of_run")})
