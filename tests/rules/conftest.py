"""The rules as Snakemake sees them, read once."""

import json
import subprocess
import sys
from functools import cache
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
def dump(tmp_path_factory):
    """Cores -> all rules, the modules that reading the workflow loads, and what all jobs together may take."""
    folder = tmp_path_factory.mktemp("rules")
    return cache(
        lambda cores: run("dump_rules.py", ROOT / "Snakefile", ROOT / "config" / "tiny.yaml", cores, cwd=folder)
    )


@pytest.fixture(scope="session")
def dumped(dump):
    """The same on one core."""
    return dump("1")


@pytest.fixture(scope="session")
def loaded():
    """Script -> modules that its imports load."""
    return run("dump_imports.py", ROOT / "scripts", cwd=ROOT)


@pytest.fixture(scope="session")
def rules(dumped):
    """Every rule that does something, by name."""
    return {name: rule for name, rule in dumped["rules"].items() if rule["script"]}
