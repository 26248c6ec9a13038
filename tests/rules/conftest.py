"""The rules as Snakemake sees them, read once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


def run(script, *arguments, cwd):
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def dumped(tmp_path_factory):
    """All rules, and the modules that reading the workflow loads."""
    folder = tmp_path_factory.mktemp("rules")
    return run("dump_rules.py", ROOT / "Snakefile", ROOT / "config" / "tiny.yaml", cwd=folder)


@pytest.fixture(scope="session")
def loaded():
    """Script -> modules that its imports load."""
    return run("dump_imports.py", ROOT / "scripts", cwd=ROOT)


@pytest.fixture(scope="session")
def rules(dumped):
    """Every rule that does something, by name."""
    return {name: rule for name, rule in dumped["rules"].items() if rule["script"]}
