"""The anatomy that directions must fit."""

import pytest
from steered import load


@pytest.fixture(scope="module")
def anatomy():
    return load("llama").anatomy
