"""A disk that fills while records are written to it. It is here because only root may mount one."""

import subprocess

import pytest
from workflow_runs import Refused

RECORDS = "results/tensors/tiny-llama/baseline"


@pytest.fixture
def small_disk(fresh, tmp_path):
    """A tree whose folder of records is a separate disk, too small for two of them."""
    tree = fresh.copy(tmp_path / "tree")
    folder = tree.path(RECORDS)
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", folder], check=True)
    yield tree
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_nothing_half_is_left_and_a_rerun_completes(small_disk, local):
    tree, target = small_disk, f"{RECORDS}/counting/up.parquet"
    with pytest.raises(Refused, match="No space left on device") as refused:
        tree.snakemake(target)
    assert "what to do: free some space or check permissions, then run again" in str(refused.value)
    assert [path for path in tree.path(RECORDS).rglob("*") if path.is_file()] == []
    subprocess.run(["mount", "-o", "remount,size=100m", tree.path(RECORDS)], check=True)
    tree.run(target)
    found = {path.name: path.read_bytes() for path in tree.path(f"{RECORDS}/counting").iterdir()}
    assert found == {path.name: path.read_bytes() for path in local.path(f"{RECORDS}/counting").iterdir()}
