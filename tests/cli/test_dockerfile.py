"""Dockerfile and catalog, which no test can build or submit: their pins, files and flags fit the repository."""

import re
import tomllib
from pathlib import Path

import yaml
from internal_physics.api.doctor import pins

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    if line.strip() and not line.startswith("#")
]


def texts(name):
    return [text for instruction, text in INSTRUCTIONS if instruction == name]


def copied():
    return [word for text in texts("COPY") for word in text.split()[:-1]]


def test_every_pin_is_that_of_the_lock():
    found = re.findall(r"([A-Za-z0-9_.-]+)==([^\s;]+)", DOCKERFILE)
    assert found
    assert [f"{name}=={version}" for name, version in found if pins()[name] != version] == []


def test_all_packages_come_from_the_lock():
    installs = re.findall(r"pip install ([^&;]+)", "; ".join(texts("RUN")))
    from_lock = [text for text in installs if "-r requirements.lock" in text]
    assert len(from_lock) == 2  # CPU and GPU
    assert [t.strip() for t in installs if t not in from_lock and "==" not in t] == ["--no-deps ."]


def test_both_devices_are_stages_and_the_default_is_one():
    stages = {text.split(" AS ")[1] for text in texts("FROM")}
    assert {"packages-cpu", "packages-gpu", "image"} <= stages
    assert "DEVICE=cpu" in texts("ARG")
    assert texts("FROM")[-1] == "packages-${DEVICE} AS image"


def test_its_python_is_that_of_the_environments():
    (python,) = re.findall(r"^FROM python:(\d+\.\d+)-", DOCKERFILE, flags=re.MULTILINE)
    for path in (ROOT / "envs").glob("*.yaml"):
        assert f"python={python}" in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]


def test_it_copies_what_the_wheel_is_built_from_and_nothing_that_is_ignored():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {pattern.split("/")[0] for pattern in project["tool"]["internal-physics"]["workflow"]}
    needed |= {"pyproject.toml", "setup.py", "MANIFEST.in", project["project"]["readme"], "scripts"}
    assert needed <= set(copied())
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert admitted == set(copied())


def test_no_secret_and_no_index_is_written_into_it():
    assert "http" not in DOCKERFILE
    assert "TOKEN" not in DOCKERFILE


def test_the_catalog_finds_what_it_asks_for():
    catalog = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert catalog["software-stack-deployment"]["conda"] is True
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    assert "conda:" in rules
    assert catalog["mandatory-flags"]["flags"] == ""
    assert (ROOT / "Snakefile").is_file()


def test_the_readme_of_the_configs_names_each_of_them():
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "config").glob("*.yaml") if path.name not in text] == []
