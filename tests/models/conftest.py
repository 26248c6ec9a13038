"""Fixtures: a folder to fetch from and where its snapshot goes; a base with its adapter."""

import pytest
from fetched import FILES
from lora_adapters import factors, run_beside
from merged_adapters import TARGETS, base_and_adapter, logits


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


@pytest.fixture
def llama(tmp_path):
    """A base, and an adapter of one map."""
    target = TARGETS["llama"][0]
    base, adapter, model, tensors = base_and_adapter(tmp_path, "llama", lambda m: factors(m, target))
    return base, adapter, logits(run_beside(model, tensors, {target: 7 / 3}))
