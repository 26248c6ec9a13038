"""The wheel that `pip install .` builds: library, command line and workflow, without the repository beside it."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from internal_physics.cli import deploy as deploying
from made_once import made_once
from tiny_models import save_snapshot

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with what the wheel installs, and a tiny model beside it; its packages are those of this environment."""
    return made_once(tmp_path_factory, "wheel", install)


def install(folder):
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        if not name.startswith(("tests/", "docs/", "benchmarks/")) and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "-w",
        folder,
        source,
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    save_snapshot(folder / "model", "llama_tied")


def run(folder, *arguments, cwd=None):
    """The command line of the installed package, far from the repository."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"PYTHONPATH": str(folder / "installed")}
    command = [sys.executable, "-m", "internal_physics", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd or folder, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_has_every_file_of_the_library_and_the_workflow(installed):
    there = {path.relative_to(installed / "installed").as_posix() for path in (installed / "installed").rglob("*")}
    library = ROOT / "scripts"
    for path in (library / "internal_physics").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(library).as_posix() in there
    for pattern in PROJECT["tool"]["internal-physics"]["workflow"]:
        for path in ROOT.glob(pattern):
            assert f"internal_physics/workflow/{path.relative_to(ROOT).as_posix()}" in there
    assert not [name for name in there if "__pycache__" in name]


def test_the_entry_point_is_the_command_line(installed):
    (entry,) = (installed / "installed").glob("*.dist-info/entry_points.txt")
    assert "internal-physics = internal_physics.__main__:main" in entry.read_text(encoding="utf-8")


def test_look_runs_from_it(installed):
    done = run(installed, "look", installed / "model", "hello", "--json")
    assert done.returncode == 0, done.stderr
    profile = json.loads(done.stdout)
    assert len(profile["blocks"]) == 3
    assert all(row["status"] == "ok" for row in profile["scores"])


def test_new_and_run_need_no_clone(installed, tmp_path):
    """The workflow is deployed beside the config of `new`, and Snakemake plans it with the deployed library."""
    lab = tmp_path / "lab"
    assert run(installed, "new", lab, "--model", f"path:{installed / 'model'}").returncode == 0
    done = run(installed, "run", lab, "--dry-run", "--quiet", "rules", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Deployed the workflow into {lab}" in done.stdout
    assert "mine" in (lab / "config.yaml").read_text(encoding="utf-8")  # that of `new`, not the default
    assert deploying.is_deployed(lab)


def test_a_deployed_workflow_is_that_of_the_clone(tmp_path):
    (tmp_path / "config.yaml").write_text("mine")
    n_written = deploying.deploy(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "mine"
    copied = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "config.yaml"]
    assert n_written == len(copied) + len(list(tmp_path.glob("*/config.yaml"))) + len(
        [p for p in tmp_path.glob("*/*/config.yaml") if p.is_file()]
    )
    for path in copied:
        assert path.read_bytes() == (ROOT / path.relative_to(tmp_path)).read_bytes()
    assert (tmp_path / "scripts/internal_physics/cli/deploy.py").is_file()
    assert deploying.deploy(tmp_path) == 0  # nothing is left to be written


def test_what_is_deployed_is_what_the_wheel_has():
    names = {*deploying.TOP, *deploying.FOLDERS, "scripts/*.py"}
    assert set(PROJECT["tool"]["internal-physics"]["workflow"]) == names
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    assert all(name in manifest for name in names)


def test_a_run_without_snakemake_says_how_to_install_it(monkeypatch, capsys, tmp_path):
    import importlib.util

    from internal_physics.cli import commands

    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert commands.main(["run", str(tmp_path / "lab")]) == commands.USER_ERROR
    assert "pip install 'internal-physics[workflow]'" in capsys.readouterr().err
    assert not (tmp_path / "lab").exists()
