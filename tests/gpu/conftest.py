"""Tests that need a GPU: `make test-gpu`."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _gpu():
    if not torch.cuda.is_available():
        pytest.exit(
            "The tests in tests/gpu need a GPU that torch sees (torch.cuda.is_available() is False)", returncode=1
        )
