"""Information in the workflow: another reading reads again, and records nothing again."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tiny_models import save_snapshot

ROOT = Path(__file__).parents[2]
TARGETS = ["results/tables/information.parquet", "results/tables/predictions.parquet"]


def config(folder, **information):
    texts = {"a": "the cat sat", "b": "on the mat", "c": "two and two"}
    prompts = [{"name": name, "text": text} for name, text in texts.items()]
    return {
        "models": {"tiny": {"source": f"path:{folder / 'model'}", "device": "cpu"}},
        "prompt_sets": {"s": {"prompts": prompts, "weight_gradients": "none"}},
        "information": information,
    }


def snakemake(folder, *arguments, **information):
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config(folder, **information)))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(file)]
    command += ["--cores", "1", *arguments, *TARGETS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which information was computed once."""
    folder = tmp_path_factory.mktemp("run")
    save_snapshot(folder / "model")
    snakemake(folder)
    return folder


def planned(folder, **information):
    text = snakemake(folder, "--dry-run", **information)
    rules = ("fetch", "record_0_s", "information", "collect_information")
    lines = [line.split() for line in text.splitlines()]
    return {rule for rule in rules if any(line[:1] == [rule] and line[1:2] == ["1"] for line in lines)}


def test_nothing_is_left_to_do(finished):
    assert planned(finished) == set()


@pytest.mark.parametrize(
    "changed",
    [{"temperature": 0.7}, {"top_k": 3}, {"sampling": True}, {"target": "self"}, {"final_norm": False}],
    ids=str,
)
def test_another_reading_records_nothing_again(finished, changed):
    assert planned(finished, **changed) == {"information", "collect_information"}


def test_another_lens_prompt_reads_nothing_again(finished):
    assert planned(finished, lens_prompt="s/b") == set()


def test_the_tables_hold_every_prompt(finished):
    information, predictions = (pd.read_parquet(finished / target) for target in TARGETS)
    assert set(information["prompt"]) == set(predictions["prompt"]) == {"a", "b", "c"}
    assert predictions.groupby("prompt")["rank"].max().eq(10).all()
    assert {"Sentence", "Token", "Probability", "Analysis"} <= set(predictions)
    assert (information["status"] == "ok").all()
