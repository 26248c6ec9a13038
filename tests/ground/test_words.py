"""Plural forms."""

import pytest
from internal_physics.ground.words import plural


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 prompts"),
        (1, "1 prompt"),
        (2, "2 prompts"),
        (20, "20 prompts"),
        ("1", "1 prompt"),
        ("19 to 20", "19 to 20 prompts"),
    ],
)
def test_only_one_is_singular(n, text):
    assert plural(n, "prompt") == text
