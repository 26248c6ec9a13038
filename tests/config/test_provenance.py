"""Provenance: everything needed to repeat a run, and nothing about the person who ran it."""

import getpass
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from internal_physics.config import provenance as module
from internal_physics.config.load import load_config
from internal_physics.config.provenance import git_revision, processor_name, provenance, write_run
from internal_physics.ground.strict_yaml import load_yaml

ROOT = Path(__file__).parents[2]
TOKEN = "hf_planted_and_never_to_be_seen"
CONFIG = load_config(
    {
        "models": {"m": {"source": "path:/x"}},
        "prompt_sets": {"s": {"prompts": [{"name": n, "text": f'"{n}": é\n#1'} for n in "abc"]}},
    }
)


def git(folder, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "tracked").write_text("1")
    git(tmp_path, "add", "tracked")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_the_revision_is_the_commit(repository):
    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")


def test_a_changed_working_tree_is_marked_and_an_untracked_file_is_not(repository):
    (repository / "untracked").write_text("2")
    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")
    (repository / "tracked").write_text("2")
    assert git_revision(repository) == git(repository, "rev-parse", "HEAD") + "+changes"


def test_outside_a_checkout_the_revision_is_unknown(tmp_path):
    assert git_revision(tmp_path) == "unknown"


def test_without_git_the_revision_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision(ROOT) == "unknown"


def test_versions_and_machine_are_there():
    found = provenance(ROOT)
    assert found["python"] == platform.python_version()
    assert found["versions"]["numpy"] == version("numpy")
    assert found["versions"]["snakemake"] == version("snakemake")
    assert found["machine"]["processor"] == processor_name()
    assert found["machine"]["processors"] >= 1
    assert found["machine"]["memory_gb"] > 0
    assert found["created"].endswith("+00:00")


def test_remains_of_a_broken_installation_are_ignored(monkeypatch):
    whole, broken = ({"Name": "Some_Package"}, "1.0"), ({"Name": None}, None)
    found = [SimpleNamespace(metadata=metadata, version=v) for metadata, v in (broken, whole)]
    monkeypatch.setattr(module, "distributions", lambda: found)
    assert provenance(ROOT)["versions"] == {"some_package": "1.0"}


def test_no_user_or_host_is_named(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    found = provenance(ROOT)
    assert TOKEN not in str(found)
    machine = str({key: value for key, value in found.items() if key != "versions"})
    assert platform.node() not in machine.split("'")
    assert f"/{getpass.getuser()}" not in machine


def test_the_run_file_is_a_config_that_replays_the_same_work(tmp_path):
    write_run(CONFIG.resolved(), provenance(ROOT), tmp_path / "run.yaml")
    again = load_config(load_yaml(tmp_path / "run.yaml"))
    assert again.resolved() == CONFIG.resolved()
    assert again.prompt_sets == CONFIG.prompt_sets
    assert list(again.raw["models"]) == list(CONFIG.raw["models"])


def test_the_run_file_says_how_to_replay_it(tmp_path):
    write_run(CONFIG.resolved(), provenance(ROOT), tmp_path / "run.yaml")
    first_line = (tmp_path / "run.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first_line.startswith("#")
    assert "--configfile results/run.yaml" in first_line


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (
            "processor : 0\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\nmodel name\t: other\n",
            "Intel Xeon CPU @ 2.20GHz",
        ),
        ("model name : AMD EPYC 7B13 Processor \n", "AMD EPYC 7B13"),
        ("BogoMIPS : 50\n", platform.machine()),
        ("model name\t: \n", platform.machine()),
    ],
)
def test_the_kind_of_cpu_is_named(tmp_path, listed, name):
    (tmp_path / "cpuinfo").write_text(listed)
    assert processor_name(tmp_path / "cpuinfo") == name


def test_without_a_list_of_cpus_the_architecture_is_named(tmp_path):
    assert processor_name(tmp_path / "nothing") == platform.machine()
