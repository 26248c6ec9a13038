"""One finished run for all workflow tests; each test that changes anything works on a copy of its own."""

import json
from collections import Counter

import pytest
from made_once import made_once
from tiny_models import save_tiny_models
from workflow_runs import Plan, Tree, copy_working_tree


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Tree:
    """A working tree with tiny models, in which nothing has run. Not to be changed."""

    def make(folder):
        tree = copy_working_tree(folder / "tree")
        save_tiny_models(tree.path("results/tiny_models"))

    return Tree(made_once(tmp_path_factory, "fresh", make) / "tree")


@pytest.fixture(scope="session")
def base_run(fresh, tmp_path_factory):
    """A finished run of config/tiny.yaml in one process, and what was run. Not to be changed.

    TestReplay makes the same bytes with two cores and a process for each job.
    """

    def make(folder):
        done = fresh.copy(folder / "tree").run_in_one_process()
        (folder / "done.json").write_text(json.dumps([done.jobs, done.text]))

    folder = made_once(tmp_path_factory, "base", make)
    jobs, text = json.loads((folder / "done.json").read_text())
    return Tree(folder / "tree"), Plan(Counter(jobs), text)


@pytest.fixture(scope="session")
def base(base_run) -> Tree:
    return base_run[0]


@pytest.fixture
def tree(base, tmp_path) -> Tree:
    """A copy of the finished run, to change at will."""
    return base.copy(tmp_path / "tree")
