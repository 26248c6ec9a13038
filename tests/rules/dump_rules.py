"""Print what every rule of the workflow says of itself, as JSON. Run on its own, since Snakemake changes sys.path."""

import json
import pkgutil
import sys
from pathlib import Path

# Snakemake imports every executor plugin that is there, and SLURM's imports pandas: that would hide what
# the workflow imports.
installed = pkgutil.iter_modules
pkgutil.iter_modules = lambda *where: (m for m in installed(*where) if m.name != "snakemake_executor_plugin_slurm")


def dump(snakefile: Path, config: Path, cores: int | None = 1) -> dict[str, object]:
    """Rules by name, the modules that parsing imported, and what all jobs together may take."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=cores, nodes=None if cores else 100),
            config_settings=ConfigSettings(configfiles=[config]),
            snakefile=snakefile,
        )._workflow
        rules = {rule.name: describe(rule) for rule in workflow.rules}
        limits = {name: resource.value for name, resource in workflow.global_resources.items()}
    return {"rules": rules, "modules": sorted(sys.modules), "limits": limits}


def describe(rule) -> dict[str, object]:
    return {
        "message": rule.message,
        "log": [str(path) for path in rule.log],
        "benchmark": str(rule.benchmark) if rule.benchmark else None,
        "conda": str(rule.conda_env) if rule.conda_env else None,
        "script": rule.script,
        "inputs": [str(path) for path in rule.input if not callable(path)],
        "code": [str(path) for path in getattr(rule.input, "code", [])],
        "outputs": [str(path) for path in rule.output],
        "params": [name for name, _ in rule.params._allitems() if name],
        "resources": {name: callable(value) or value for name, value in rule.resources.items()},
        "threads": rule.resources["_cores"].value,
        "file": Path(rule.snakefile).name,
    }


if __name__ == "__main__":
    snakefile, config, *cores = sys.argv[1:]
    found = dump(Path(snakefile), Path(config), *(int(n) if n != "cluster" else None for n in cores))
    sys.stdout.write(json.dumps(found, default=str))
