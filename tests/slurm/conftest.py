"""One cluster and one finished local run for all tests on SLURM: `make test-slurm`."""

import pytest
from cluster import Cluster, missing
from slurm_runs import THREADS, SlurmTree
from tiny_models import save_tiny_models
from workflow_runs import CONFIG, Tree, copy_working_tree


@pytest.fixture(scope="session")
def cluster():
    lacks = missing()
    if lacks:
        pytest.exit("The tests on SLURM need " + ", and ".join(lacks), returncode=1)
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Tree:
    """A working tree with tiny models, in which nothing has run. Not to be changed."""
    tree = copy_working_tree(tmp_path_factory.mktemp("fresh") / "tree")
    save_tiny_models(tree.path("results/tiny_models"))
    for model in ("llama", "gpt2"):  # also where there is a GPU: the cluster's are none
        source = f'source: "path:results/tiny_models/{model}"'
        tree.edit(CONFIG, source, f"{source}, device: cpu")
    return tree


@pytest.fixture(scope="session")
def local(fresh, tmp_path_factory) -> Tree:
    """The undisturbed run on this machine, up to the tables. Not to be changed."""
    tree = fresh.copy(tmp_path_factory.mktemp("local") / "tree")
    tree.snakemake("results/tables/checked.txt", *THREADS)
    return tree


@pytest.fixture
def slurm(fresh, cluster, tmp_path) -> SlurmTree:
    """A tree of the test's own in which nothing has run."""
    return SlurmTree(fresh.copy(tmp_path / "tree"), cluster)
