"""The check of a GPU, as far as it can be tested without one."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml
from internal_physics.config.load import load_config
from internal_physics.ground.strict_yaml import load_yaml
from tiny_models import save_snapshot

from benchmarks.gpu import __main__ as check
from benchmarks.gpu import numbers, workflow

ROOT = Path(__file__).parents[2]


def test_without_a_gpu_it_says_so():
    hidden = "import torch; torch.cuda.is_available = lambda: False; from benchmarks.gpu.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("torch sees no GPU (torch.cuda.is_available() is False)")


def test_the_config_that_it_runs_is_the_default_one_with_models_on_the_gpu(tmp_path, monkeypatch):
    snapshot = save_snapshot(tmp_path / "llama", "llama")
    tree = workflow.prepare(snapshot, tmp_path)
    monkeypatch.chdir(tree)
    config, default = (load_config(load_yaml(Path(path))) for path in (workflow.CONFIG, "config.yaml"))
    assert list(config.prompt_sets) == list(default.prompt_sets)
    assert list(config.models) == list(workflow.MODELS)
    raw = yaml.safe_load(Path(workflow.CONFIG).read_text(encoding="utf-8"))
    assert {model["device"] for model in raw["models"].values()} == {"cuda"}
    assert {model.get("quantization") for model in raw["models"].values()} == {None, "nf4"}


def test_a_part_that_fails_or_is_not_held_is_reported_and_the_others_are_kept(tmp_path):
    path, report = tmp_path / "gpu.json", {}

    def fails() -> list[list[str]]:
        raise RuntimeError("no room")

    assert not check._done(report, "speed", fails, path)
    assert not check._done(report, "numbers", lambda: [["what", "held"], ["loss", "no"]], path)
    assert check._done(report, "tests", lambda: [["what", "held"], ["32 passed", "yes"]], path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert set(kept) == {"numbers", "tests"}


def test_a_difference_above_its_tolerance_is_not_held():
    assert numbers.held("loss", 1e-5, 2e-7).held
    row = numbers.held("loss", 1e-5, 2e-5)
    assert (row.bar, row.measured, row.held) == ("≤ 1e-05", "2.0e-05", False)
    assert numbers.relative(np.array([3.0, 4.0]), np.array([3.0, 0.0])) == 4 / 3
