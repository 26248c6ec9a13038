"""One finished run for all workflow tests; each test that changes anything works on a copy of its own."""

import pytest
from tiny_models import save_tiny_models
from workflow_runs import Tree, copy_working_tree


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Tree:
    """A working tree with tiny models, in which nothing has run. Not to be changed."""
    tree = copy_working_tree(tmp_path_factory.mktemp("fresh") / "tree")
    save_tiny_models(tree.path("results/tiny_models"))
    return tree


@pytest.fixture(scope="session")
def base_run(fresh, tmp_path_factory):
    """A finished run of config/tiny.yaml on two cores, and what was run. Not to be changed."""
    tree = fresh.copy(tmp_path_factory.mktemp("base") / "tree")
    return tree, tree.run()


@pytest.fixture(scope="session")
def base(base_run) -> Tree:
    return base_run[0]


@pytest.fixture
def tree(base, tmp_path) -> Tree:
    """A copy of the finished run, to change at will."""
    return base.copy(tmp_path / "tree")
