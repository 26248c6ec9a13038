"""Fixtures of the tests of fetching: a folder to fetch from, and the place of its snapshot."""

import pytest
from fetched import FILES


@pytest.fixture
def folder(tmp_path):
    """A model's folder as made by another program."""
    (tmp_path / "theirs").mkdir()
    for name, content in FILES.items():
        (tmp_path / "theirs" / name).write_bytes(content)
    return tmp_path / "theirs"


@pytest.fixture
def snapshot(tmp_path):
    return tmp_path / "results" / "snapshots" / "x"
