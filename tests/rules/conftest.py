"""The rules as Snakemake sees them, read once."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from internal_physics.lab.experiments.registry import EXPERIMENTS
from rule_code import jobs

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ARMS = {"rows": {"file": "rows.txt"}}  # data options that have no default
# Added to config/tiny.yaml, so that no kind of figure is left out.
ALSO = {
    "conditions": {"push": {"vector": [1.0], "layers": [1]}},
    "information": {"watch": ["a"]},
    "jacobian": {"prompts": ["counting"]},
    "lab": {"arms": {f"arm-{name}": {name: ARMS.get(name, {})} for name in EXPERIMENTS}},
    "models": {
        f"tiny-{name}": {"source": f"path:results/tiny_models/{name}", "step": step, "parent": "tiny"}
        for step, name in enumerate(("llama", "gpt2"))
    },
}


def run(script, *arguments, cwd):
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def dump_config(tmp_path_factory):
    """Further prompt sets, and cores -> the same as `dump`."""

    def dumped_of(prompt_sets, cores):
        config = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text()) | ALSO
        config["prompt_sets"] |= prompt_sets
        folder = tmp_path_factory.mktemp("rules")
        for model in ("llama", "gpt2"):  # reading the config checks that its local models exist
            (folder / "results" / "tiny_models" / model).mkdir(parents=True)
        (folder / ARMS["rows"]["file"]).write_text("a b\n")  # likewise the files of the lab
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        return run("dump_rules.py", ROOT / "Snakefile", folder / "config.yaml", cores, cwd=folder)

    return dumped_of


@pytest.fixture(scope="session")
def dump(dump_config):
    """Cores -> all rules, the modules loaded by reading the workflow, and the resources for all jobs together."""
    return cache(lambda cores: dump_config({}, cores))


@pytest.fixture(scope="session")
def dumped(dump):
    """The same on one core."""
    return dump("1")


@pytest.fixture(scope="session")
def loaded():
    """Label of a job -> modules loaded by its script's imports and by name."""
    return run("dump_imports.py", ROOT / "scripts", json.dumps(jobs()), cwd=ROOT)


@pytest.fixture(scope="session")
def rules(dumped):
    """Every rule that runs something, by name."""
    return {name: rule for name, rule in dumped["rules"].items() if rule["script"]}
