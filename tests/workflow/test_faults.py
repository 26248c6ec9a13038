"""Jobs that die and files that are damaged: what was finished stays, a rerun completes, the results are the same."""

import os
import subprocess

import pytest
from workflow_runs import Refused

EC = "results/metrics/ec/tiny-llama/baseline.parquet"
RECORDS = "results/tensors/tiny-llama/baseline"
LISTINGS = "results/records/tiny-llama/baseline"
SNAPSHOTS = "results/snapshots"
# Lines that end the process as a lack of memory does, while a file named `fault` is there.
KILLED_HERE = "(__import__('os').path.exists('fault') and __import__('os').kill(__import__('os').getpid(), 9))\n"


@pytest.fixture
def empty(fresh, tmp_path):
    """A tree in which nothing has run, to change at will."""
    return fresh.copy(tmp_path / "tree")


def files(tree, folder):
    return {str(p.relative_to(tree.folder)) for p in tree.path(folder).rglob("*") if p.is_file()}


def contents(tree, folder):
    return {name: tree.path(name).read_bytes() for name in files(tree, folder)}


def snapshot_of_llama(tree):
    (folder,) = tree.path(SNAPSHOTS).glob("llama-*")
    return folder


def damaged(tree, listing):
    """The records that the system's own tool finds to be others than listed."""
    command = ["sha256sum", "--check", "--quiet", listing]
    done = subprocess.run(command, cwd=tree.folder, capture_output=True, text=True, check=False)
    return [line.removesuffix(": FAILED") for line in done.stdout.splitlines()]


def kill_after(tree, file, line):
    """From now on the process that runs this line of the library is killed right after it."""
    indent = line[: len(line) - len(line.lstrip())]
    tree.edit(file, line + "\n", f"{line}\n{indent}{KILLED_HERE}")
    tree.path("fault").touch()


def test_a_record_job_killed_while_it_writes_leaves_no_half_file_and_is_repeated_alone(base, empty):
    line = "            writer.write_batch(_row(key, array, schema), row_group_size=1)"
    kill_after(empty, "scripts/internal_physics/records/store.py", line)
    with pytest.raises(Refused):
        empty.snakemake(EC)
    half = files(empty, RECORDS)
    assert half  # what it had begun to write
    assert all(name.endswith(".tmp") for name in half)
    empty.path("fault").unlink()
    again = empty.run_in_one_process(EC)
    assert set(again.jobs) == {"record_0_counting", "record_1_words", "gradient_flow"}
    assert contents(empty, RECORDS) == contents(base, RECORDS)
    assert empty.path(EC).read_bytes() == base.path(EC).read_bytes()


def test_an_interrupted_fetch_is_fetched_again(base, empty):
    kill_after(
        empty, "scripts/internal_physics/models/fetch.py", "        _link(file, destination / file.relative_to(folder))"
    )
    with pytest.raises(Refused):
        empty.snakemake(EC)
    assert files(empty, SNAPSHOTS)  # what it had begun to fetch
    assert not list(empty.path(SNAPSHOTS).glob("llama-*"))
    empty.path("fault").unlink()
    assert empty.run_in_one_process(EC).jobs["fetch"] == 1
    assert files(empty, SNAPSHOTS) == {name for name in files(base, SNAPSHOTS) if "llama-" in name}
    assert empty.path(EC).read_bytes() == base.path(EC).read_bytes()


def test_a_truncated_record_is_named_and_recorded_again(base, tree):
    name = f"{RECORDS}/words/short.parquet"
    os.truncate(tree.path(name), 1000)
    assert damaged(tree, f"{LISTINGS}/words.part0.sha256") == [name]
    tree.path(EC).unlink()
    with pytest.raises(Refused) as refused:
        tree.run_in_one_process(EC)
    assert f"{name}: this is not a complete Parquet file" in str(refused.value)
    assert "delete it; the next run records it again" in str(refused.value)
    tree.path(name).unlink()
    again = tree.run_in_one_process(name, "results/tables/checked.txt")
    assert again.records() == {("tiny-llama", "words")}
    assert contents(tree, RECORDS) == contents(base, RECORDS)
    assert contents(tree, "results/tables") == contents(base, "results/tables")


@pytest.mark.parametrize("harm", ["one bit", "no manifest", "a folder for a file"])
def test_a_damaged_snapshot_is_named_and_fetched_again(base, tree, harm):
    folder, name = snapshot_of_llama(tree), f"{RECORDS}/words/short.parquet"
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    if harm == "one bit":
        weights.unlink()  # a link to the model's own file, which is to stay as it is
        weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif harm == "no manifest":
        (folder / "snapshot.json").unlink()
    else:
        (folder / "config.json").unlink()
        (folder / "config.json").mkdir()
    tree.path(name).unlink()
    with pytest.raises(Refused) as refused:
        tree.run_in_one_process(name)
    said = {
        "one bit": "model.safetensors has changed: its sha256 is",
        "no manifest": "this is not a snapshot",
        "a folder for a file": "config.json is missing or truncated",
    }
    assert said[harm] in str(refused.value)
    assert f"{SNAPSHOTS}/{folder.name}: " in str(refused.value)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    assert tree.run_in_one_process(name, EC).jobs["fetch"] == 1
    assert contents(tree, RECORDS) == contents(base, RECORDS)
    assert tree.path(EC).read_bytes() == base.path(EC).read_bytes()
