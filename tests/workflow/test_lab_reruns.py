"""The lab under a real Snakemake: what a change trains again, and that a trained model is recorded like any other."""

import pytest
from workflow_runs import CONFIG, Tree

ARMS = """
lab:
  seeds: [0]
  arms:
    one: {rows: {file: rows.txt, exposures: 4}, model: {layers: 1, width: 16}, training: {snapshots: [0]}}
    two: {rows: {file: rows.txt, exposures: 4}, model: {layers: 1, width: 16, attention: relative, canon: A}}
"""
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


def test_checkpoints_of_a_training_are_models_of_a_run(tree):
    """Each is fetched from its training and recorded; nothing is trained again."""
    model = '  lab: {source: "lab:one/0", checkpoints: [0, 1]}\n'
    tree.edit(CONFIG, "\nprompt_sets:", f"{model}\nprompt_sets:")
    plan = tree.plan()
    assert {"one-0-0", "one-0-1"} <= plan.fetched()
    assert {model for model, _ in plan.records() if model.startswith("lab")} == {"lab-step0", "lab-step1"}
    assert "lab_train" not in plan.labels
    assert {"lab_physics", "lab_figures_physics", "report"} <= plan.labels  # the report shows them beside the loss
