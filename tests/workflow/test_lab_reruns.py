"""The lab under a real Snakemake: what a change trains again, and that a trained model is recorded like any other."""

from dataclasses import asdict

import pandas as pd
import pytest
from internal_physics.config.options.lab_training import LabModelOptions, TrainingOptions
from internal_physics.lab.train.job import train_arm
from workflow_runs import CONFIG, Refused, Tree

ARMS = """
lab:
  seeds: [0]
  arms:
    one: {rows: {file: rows.txt, exposures: 4}, model: {layers: 1, width: 16}, training: {snapshots: [0]}}
    two: {rows: {file: rows.txt, exposures: 4}, model: {layers: 1, width: 16, attention: relative, canon: A}}
"""
LONG = "    long: {rows: {file: rows.txt, exposures: 40}, model: {layers: 1, width: 16}}"  # of ten steps
# The first process that reads step 6 is killed without a chance to clean up.
KILLED = """
import os, pathlib, signal
_at, _dead = RowsBatches.at, pathlib.Path("killed")


def _killed(self, step):
    if step == 6 and not _dead.exists():
        _dead.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return _at(self, step)


RowsBatches.at = _killed
"""
DATA, LOOP = (f"scripts/internal_physics/lab/{file}" for file in ("experiments/rows/data.py", "train/loop.py"))
BELOW_MEASURES = {"lab_collect_rows": 1, "lab": 1}


@pytest.fixture(scope="module")
def trained(fresh, tmp_path_factory) -> Tree:
    """A tree in which two arms of seconds are trained. Not to be changed."""
    tree = fresh.copy(tmp_path_factory.mktemp("lab") / "tree")
    tree.path("rows.txt").write_text("red is a colour\none is a number\n")
    tree.append(CONFIG, ARMS)
    tree.run_in_one_process("lab")
    return tree


@pytest.fixture
def tree(trained, tmp_path) -> Tree:
    return trained.copy(tmp_path / "tree")


def test_a_finished_lab_has_nothing_to_do(trained):
    assert not trained.plan("lab").jobs


def test_a_changed_option_trains_its_arm_alone(tree):
    tree.edit(CONFIG, "attention: relative", "attention: uniform")
    below = {"lab_arms": 1, "lab_report": 1, **BELOW_MEASURES}
    assert tree.plan("lab").jobs == {"lab_train": 1, "lab_measure": 1, **below}


def test_a_changed_probe_trains_nothing(tree):
    tree.append("scripts/internal_physics/lab/experiments/rows/measures.py", "CHANGED = True")
    assert tree.plan("lab").jobs == {"lab_measure": 2, **BELOW_MEASURES}


def test_a_training_that_was_killed_goes_on_with_the_same_losses(tree):
    tree.append(CONFIG, LONG)
    tree.append(DATA, KILLED)
    tree.edit(LOOP, "SECONDS_BETWEEN_STATES = 20.0", "SECONDS_BETWEEN_STATES = 0.0")
    losses, log = "results/lab/arms/long/seed-0/training.parquet", "results/logs/lab_train/long/seed-0.log"
    with pytest.raises(Refused):
        tree.run(losses, cores=1)
    assert tree.path("killed").exists()
    assert not tree.path(losses).exists()
    tree.run_in_one_process(losses)
    assert "the training goes on after step 6" in tree.path(log).read_text()
    found = pd.read_parquet(tree.path(losses))
    assert found["step"].tolist() == list(range(1, 11))
    assert found["loss_nats"].tolist() == losses_without_a_break(tree)


def losses_without_a_break(tree: Tree) -> list[float]:
    """Of the arm long, trained here in one go."""
    train_arm(
        "internal_physics.lab.experiments.rows.data",
        {
            "data": {"file": str(tree.path("rows.txt")), "exposures": 40, "rows_per_step": 8},
            "model": asdict(LabModelOptions(layers=1, width=16)),
            "training": asdict(TrainingOptions()),
        },
        name="long",
        seed=0,
        losses=str(tree.path("whole.parquet")),
        steps=str(tree.path("whole")),
        unfinished=str(tree.path("unfinished")),
        threads=1,
    )
    return pd.read_parquet(tree.path("whole.parquet"))["loss_nats"].tolist()


def test_checkpoints_of_a_training_are_models_of_a_run(tree):
    """Each is fetched from its training and recorded; nothing is trained again."""
    model = '  lab: {source: "lab:one/0", checkpoints: [0, 1]}\n'
    tree.edit(CONFIG, "\nprompt_sets:", f"{model}\nprompt_sets:")
    plan = tree.plan()
    assert {"one-0-0", "one-0-1"} <= plan.fetched()
    assert {model for model, _ in plan.records() if model.startswith("lab")} == {"lab-step0", "lab-step1"}
    assert "lab_train" not in plan.labels
    assert {"lab_physics", "lab_figures_physics", "report"} <= plan.labels  # the report shows them beside the loss
