"""The example of docs/extend.md, added to a repository step by step: few files, and everything is there.

It is added to a finished run, so that the runs also show what a new family makes stale: nothing of the others' work.
"""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from internal_physics.docs.example import REGISTRY, STEPS, place
from internal_physics.records.store import read_trace
from workflow_runs import CONFIG, MODELS, OF_RECORDS, PROMPTS, RECORDS, ROOT, SETS, environment

MOST_FILES = {"metric": 4, "figure": 3, "table": 3}
NAMES = {"metric": "metric:drift", "figure": "figures_drift", "table": "table:drift_turns"}


def make_docs(tree):
    """What `make docs` runs."""
    command = [sys.executable, "-m", "internal_physics.docs"]
    subprocess.run(command, cwd=tree.folder, env=environment() | {"PYTHONPATH": "scripts"}, check=True)


@pytest.fixture(scope="module")
def steps(base, tmp_path_factory):
    """The finished run with the family, the files that each step touched and what it made Snakemake want to run."""
    tree = base.copy(tmp_path_factory.mktemp("example") / "tree")
    shutil.copytree(ROOT / "docs", tree.path("docs"))
    touched, plans = {}, {}
    for step in STEPS:
        touched[step] = place(ROOT, tree.folder, step)
        make_docs(tree)
        plans[step] = tree.plan()
    return tree, touched, plans


@pytest.fixture(scope="module")
def done(steps):
    tree, *_ = steps
    return tree, tree.run_in_one_process()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_touches_few_files_and_adds_its_job(step, steps):
    _, touched, plans = steps
    assert len(set(touched[step])) == len(touched[step]) <= MOST_FILES[step]
    assert [s for s in STEPS if NAMES[s] in plans[step].labels] == list(STEPS)[: list(STEPS).index(step) + 1]


def test_only_one_shared_file_is_edited(steps):
    tree, touched, _ = steps
    shared = {path for files in touched.values() for path in files if path.parent.name == "families"}
    assert shared == {tree.path(REGISTRY)}


def test_a_new_family_makes_no_other_work_stale(done):
    _, run = done
    assert run.labels & {*RECORDS, *OF_RECORDS, "spectra", "phases", "gains", "collect_thermodynamics"} == set()
    assert {"metric:drift", "table:drift_turns", "figures_drift", "collect", "report"} <= run.labels
    assert run.jobs["metric:drift"] == len(MODELS)


def test_after_the_run_nothing_is_left_to_do(done):
    tree, _ = done
    assert tree.plan().labels == set()


def test_the_metric_is_in_the_shared_tables(done):
    tree, _ = done
    scores = pd.read_parquet(tree.path("results/tables/scores.parquet"))
    found = scores[scores["metric"] == "drift"]
    assert len(found) == len(MODELS) * len(SETS)
    assert set(found["status"]) == {"ok"}
    assert found["value"].between(0, 2).all()
    assert (found["ci_low"] <= found["value"]).all()
    assert (found["value"] <= found["ci_high"]).all()
    layers = pd.read_parquet(tree.path("results/tables/layers.parquet"))
    cosines = layers[layers["quantity"] == "embedding_cosine"]
    np.testing.assert_allclose(cosines.loc[cosines["layer"] == 0, "value"], 1.0, rtol=1e-12)


def test_the_metric_is_right(done):
    tree, _ = done
    model, prompt_set = MODELS[0], SETS[0]
    scores = pd.read_parquet(tree.path("results/tables/scores.parquet")).set_index(["model", "prompt_set", "metric"])
    angles = []
    for name in PROMPTS[prompt_set]:
        trace = read_trace(tree.path(f"results/tensors/{model}/baseline/{prompt_set}/{name}.parquet"))
        first, last = (trace.residual(layer)[-1].astype(float) for layer in (0, trace.n_layers))
        angles.append(1 - first @ last / np.sqrt((first @ first) * (last @ last)))
    assert scores.loc[(model, prompt_set, "drift"), "value"] == pytest.approx(np.mean(angles), rel=1e-9)


def test_the_table_is_checked_and_right(done):
    tree, _ = done
    turns = pd.read_parquet(tree.path("results/tables/drift_turns.parquet"))
    assert len(turns) == len(MODELS) * sum(map(len, PROMPTS.values()))
    assert turns["smallest_cosine"].between(-1, 1).all()
    turned = turns["smallest_cosine"] < 0.5
    assert (turns["turn_layer"].notna() == turned).all()
    assert "drift_turns" in tree.path("results/tables/checked.txt").read_text(encoding="utf-8")
    assert tree.path("results/tables/drift_turns.csv").exists()


@pytest.mark.parametrize("prompt_set", SETS)
def test_the_figure_is_drawn(prompt_set, done):
    tree, _ = done
    for kind in ("png", "svg"):
        assert tree.path(f"results/figures/drift_profile-{prompt_set}.{kind}").stat().st_size > 1000


def test_the_report_has_section_metric_figures_captions_and_table(done):
    tree, _ = done
    report = tree.path("results/report.html").read_text(encoding="utf-8")
    assert 'id="drift"' in report
    assert "How far the residual stream of the last token ends from where it started." in report
    for prompt_set in SETS:
        assert f"Drift from the embedding on {prompt_set}" in report
    assert "A line near 1 keeps the direction of the embedding" in report
    assert "Where the residual stream of each prompt turns away from its embedding." in report


def test_the_config_accepts_the_metric_by_name(steps):
    tree, *_ = steps
    tree.append(CONFIG, "metrics: [drift]")
    labels = tree.plan().labels
    tree.edit(CONFIG, "metrics: [drift]\n", "")
    assert not any(label.startswith(("figures_gradient_flow", "metric:isf")) for label in labels)
