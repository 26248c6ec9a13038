"""One cluster and one finished local run for all tests on SLURM: `make test-slurm`."""

import signal

import pytest
from cluster import Cluster, missing
from slurm_runs import SlurmTree
from tiny_models import save_tiny_models
from workflow_runs import CONFIG, Tree, copy_working_tree

ONE_METRIC = "metrics: [ec]"


@pytest.fixture(scope="session", autouse=True)
def _what_is_needed():
    lacks = missing()
    if lacks:
        pytest.exit("The tests on SLURM need " + ", and ".join(lacks), returncode=1)


@pytest.fixture(scope="session")
def cluster():
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=1))  # stops the cluster
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Tree:
    """A working tree with tiny models, in which nothing has run. Not to be changed."""
    tree = copy_working_tree(tmp_path_factory.mktemp("fresh") / "tree")
    save_tiny_models(tree.path("results/tiny_models"))
    for model in ("llama", "gpt2"):  # even on a machine with a GPU: the cluster has no real ones
        source = f'source: "path:results/tiny_models/{model}"'
        tree.edit(CONFIG, source, f"{source}, device: cpu")
    return tree


@pytest.fixture(scope="session")
def local(fresh, tmp_path_factory) -> Tree:
    """The undisturbed run in one process of this machine, up to the tables. Not to be changed."""
    tree = fresh.copy(tmp_path_factory.mktemp("local") / "tree")
    tree.run_in_one_process("results/tables/checked.txt")
    return tree


@pytest.fixture(scope="session")
def undisturbed(local, tmp_path_factory) -> Tree:
    """Like `local`, with a single metric: the reference for the tests of faults. Not to be changed."""
    tree = local.copy(tmp_path_factory.mktemp("undisturbed") / "tree")
    tree.append(CONFIG, ONE_METRIC)
    tree.run_in_one_process("results/tables/scores.csv")
    return tree


@pytest.fixture
def slurm(fresh, cluster, tmp_path) -> SlurmTree:
    """A separate tree in which nothing has run, with a single metric and so few jobs."""
    tree = fresh.copy(tmp_path / "tree")
    tree.append(CONFIG, ONE_METRIC)
    return SlurmTree(tree, cluster)
