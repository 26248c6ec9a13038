"""The rules as Snakemake sees them, read once."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from rule_code import jobs

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
# Asked for beside what config/tiny.yaml asks for, so that no kind of figure is left out.
ALSO = {"conditions": {"push": {"vector": [1.0], "layers": [1]}}, "information": {"watch": ["a"]}}


def run(script, *arguments, cwd):
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def dump(tmp_path_factory):
    """Cores -> all rules, the modules that reading the workflow loads, and what all jobs together may take."""
    folder = tmp_path_factory.mktemp("rules")
    config = yaml.safe_load((ROOT / "config" / "tiny.yaml").read_text()) | ALSO
    for model in ("llama", "gpt2"):  # that the config's local models are there is checked while it is read
        (folder / "results" / "tiny_models" / model).mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return cache(lambda cores: run("dump_rules.py", ROOT / "Snakefile", folder / "config.yaml", cores, cwd=folder))


@pytest.fixture(scope="session")
def dumped(dump):
    """The same on one core."""
    return dump("1")


@pytest.fixture(scope="session")
def loaded():
    """Label of a job -> modules that its script's imports load, and the module that the script loads by name."""
    return run("dump_imports.py", ROOT / "scripts", json.dumps(jobs()), cwd=ROOT)


@pytest.fixture(scope="session")
def rules(dumped):
    """Every rule that does something, by name."""
    return {name: rule for name, rule in dumped["rules"].items() if rule["script"]}
