"""Names: any valid file name, including those that CSV readers take for missing values, truth values or numbers."""

import pytest
from internal_physics.ground.names import NAME


@pytest.mark.parametrize(
    "name", ["a", "nan", "NA", "null", "None", "TRUE", "1", "007", "1e3", "1.10", "inf", "a.b-c_d"]
)
def test_valid_names(name):
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", " a", "a b", "-a", ".a", "_a", "a/b", "a\n", "é", "a" * 101])
def test_invalid_names(name):
    assert not NAME.fullmatch(name)
