"""The same arm trained and measured in two processes gives the same bits, whatever the environment says of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import train_and_measure

PROGRAM = Path(train_and_measure.__file__)
HERE, ELSEWHERE = (
    {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"},
    {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "2"},
)


def run(folder: Path, environment: dict[str, str]) -> dict[str, bytes]:
    """The files of a training and its measurements in a process of its own."""
    folder.mkdir()
    subprocess.run(
        [sys.executable, str(PROGRAM), str(folder)],
        env=os.environ | {"PYTHONPATH": "scripts"} | environment,
        check=True,
        capture_output=True,
    )
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproducible")
    return run(folder / "here", HERE), run(folder / "elsewhere", ELSEWHERE)


def test_weights_of_every_snapshot_are_the_same_bits(both):
    here, elsewhere = both
    weights = [name for name in here if name.endswith("model.safetensors")]
    assert weights == [f"steps/{step}/model.safetensors" for step in (0, 12, 24)]
    assert all(here[name] == elsewhere[name] for name in weights)
    assert here[weights[0]] != here[weights[1]] != here[weights[2]]


def test_losses_and_measurements_with_their_own_trainings_are_the_same_bits(both):
    """Questions, manipulations and probes are trained by the measurement itself."""
    here, elsewhere = both
    measured = [f"measured/lab_{table}.csv" for table in ("knowledge", "knowledge_probes", "manipulation")]
    tables = ["losses.csv", *measured]
    assert all(here[name] == elsewhere[name] and here[name].count(b"\n") > 5 for name in tables)
