"""Print the properties of every rule as JSON. Runs in a separate process, because Snakemake changes sys.path."""

import json
import pkgutil
import re
import sys
from pathlib import Path

# Snakemake imports every installed executor plugin, and SLURM's imports pandas: that would hide imports of the
# workflow.
installed = pkgutil.iter_modules
pkgutil.iter_modules = lambda *where: (m for m in installed(*where) if m.name != "snakemake_executor_plugin_slurm")


def dump(snakefile: Path, config: Path, cores: int | None = 1) -> dict[str, object]:
    """Rules by name, the modules that parsing imported, and the resources for all jobs together."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=cores, nodes=None if cores else 100),
            config_settings=ConfigSettings(configfiles=[config]),
            snakefile=snakefile,
        )._workflow
        rules = {rule.name: describe(rule, workflow._localrules) for rule in workflow.rules}
        limits = {name: resource.value for name, resource in workflow.global_resources.items()}
    return {"rules": rules, "modules": sorted(sys.modules), "limits": limits}


def describe(rule, local: set[str]) -> dict[str, object]:
    return {
        "message": rule.message,
        "benchmarked": rule.benchmark is not None,
        "conda": str(rule.conda_env) if rule.conda_env else None,
        "script": rule.script,
        "local": rule.name in local,
        "params": [name for name, _ in rule.params._allitems() if name],
        "resources": {name: callable(value) or value for name, value in rule.resources.items()},
        "threads": rule.resources["_cores"].value,
        "file": Path(rule.snakefile).name,
        "jobs": dict(job(rule, wildcards) for wildcards in kinds(rule)),
    }


def kinds(rule) -> list[dict[str, str]]:
    """The metrics or tables that a generic rule serves, each as its wildcards; one empty entry for other rules."""
    for name in {"metric", "table"} & rule.wildcard_names:
        return [{name: value} for value in rule.wildcard_constraints[name].split("|")]
    if "arm" in rule.wildcard_names:
        return [{"arm": re.sub(r"\\(.)", r"\1", value)} for value in rule.wildcard_constraints["arm"].split("|")]
    return [{}]


def job(rule, wildcards: dict[str, str]) -> tuple[str, dict[str, object]]:
    """Label, and the properties of one metric or table: its paths (with other wildcards) and its code."""
    from snakemake.iocontainers import Wildcards

    def filled(path):
        path = re.sub(r"{(\w+),[^{}]*(?:{[^{}]*}[^{}]*)*}", r"{\1}", str(path))
        return re.sub(r"{(metric|table|arm)}", lambda found: wildcards[found.group(1)], path)

    def param(name):
        value = dict(rule.params._allitems()).get(name)
        return value(Wildcards(fromdict=wildcards)) if callable(value) else value

    drawn = [drawing["module"] for drawing in param("drawings") or ()]
    label = "".join(f"{name}:{value}" for name, value in wildcards.items()) or rule.name
    label = f"{rule.name}:{wildcards['arm'].removeprefix('arm-')}" if "arm" in wildcards else label  # an experiment's
    paths = {"log": rule.log, "outputs": rule.output, "benchmark": [rule.benchmark] if rule.benchmark else []}
    return label, {kind: [filled(path) for path in found] for kind, found in paths.items()} | {
        "code": param("code"),
        "modules": drawn or [name for name in [param("module")] if name],
    }


if __name__ == "__main__":
    snakefile, config, *cores = sys.argv[1:]
    found = dump(Path(snakefile), Path(config), *(int(n) if n != "cluster" else None for n in cores))
    sys.stdout.write(json.dumps(found, default=str))
