"""Fixtures of the records' tests: the path of a record, and a written one."""

import pytest
from hand_traces import make_trace
from internal_physics.records.store import write_trace


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record" / "p.parquet"


@pytest.fixture
def written(path):
    write_trace(make_trace(), path)
    return path
