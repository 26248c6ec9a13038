"""Rows of unequal length as one array."""

import numpy as np
import pytest
from internal_physics.lab.data.padding import padded
from internal_physics.lab.data.vocabulary import PADDING_ID


def test_rows_begin_at_the_left_and_end_in_padding():
    found = padded([[7], [], np.array([4, 5, 6])])
    assert found.dtype == np.int64
    assert found.tolist() == [[7, PADDING_ID, PADDING_ID], [PADDING_ID] * 3, [4, 5, 6]]


def test_another_number_can_fill():
    assert padded([[1, 2], [3]], filling=-1).tolist() == [[1, 2], [3, -1]]


def test_no_rows_have_no_width():
    with pytest.raises(ValueError, match="empty"):
        padded([])
