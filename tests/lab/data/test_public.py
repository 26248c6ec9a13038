"""Every public name of the data library is there, and a wrong one is answered with those that are."""

import pytest
from internal_physics.lab import data
from internal_physics.lab.data.public import HOMES


def test_every_public_name_can_be_had():
    assert [name for name in dir(data) if getattr(data, name) is None] == []
    assert {"write_biographies", "draw_bio_d", "Augmentation", "write_strings"} <= {*HOMES}


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(AttributeError, match="write_biographies"):
        _ = data.write_biography
