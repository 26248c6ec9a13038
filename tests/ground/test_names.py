"""Names: a name that is accepted comes back from a CSV table as it was written, whatever stands beside it."""

import io

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from internal_physics.ground.errors import ConfigError, PromptError
from internal_physics.ground.names import NAME, misread_as, refuse_misread
from pandas._libs.parsers import STR_NA_VALUES

MISREAD = {
    "a missing value": ["nan", "NaN", "NA", "null", "NULL", "None"],
    "a truth value": ["TRUE", "True", "true", "FALSE", "False", "false", "tRuE"],
    "a number": ["1e3", "1E-3", "007", "00", "1.5", "1.10", "1.", "inf", "Infinity", "INF", "1234567890123456789"],
}
FINE = ["a", "1", "0", "42", "123456789012345678", "smollm2-fp32", "1a", "1e", "e3", "x1e3", "0x1F", "1_000", "none",
        "na", "1-2", "2020-01-01", "1.2.3", "v1.10", "True-", "nan2", "3e", "1e3x", "NANA", "Null"]  # fmt: skip
ANY = st.from_regex(NAME, fullmatch=True)
LIKE_NUMBERS = st.from_regex(r"[0-9][0-9.eE_-]{0,8}", fullmatch=True)


def read_back(names):
    """As a user does, with pandas' defaults."""
    table = pd.read_csv(io.StringIO(pd.DataFrame({"model": names, "value": 1.5}).to_csv(index=False)))
    return [str(name) for name in table["model"]]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in MISREAD.items() for name in names])
def test_what_readers_take_for_something_else(kind, name):
    assert misread_as(name) == kind
    assert NAME.fullmatch(name), "else it is refused anyway"


def test_every_missing_value_of_pandas_is_known():
    assert {name for name in STR_NA_VALUES if NAME.fullmatch(name)} == set(MISREAD["a missing value"])


@pytest.mark.parametrize("name", FINE)
def test_what_comes_back(name):
    assert misread_as(name) == ""
    assert read_back([name]) == [name]
    assert read_back([name, "text"]) == [name, "text"]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.one_of(ANY, LIKE_NUMBERS), min_size=1, max_size=4))
@example(["1", "2", "30"])
@example(["1", "true-ish"])
def test_names_that_are_accepted_come_back(names):
    accepted = [name for name in names if NAME.fullmatch(name) and not misread_as(name)]
    if accepted:
        assert read_back(accepted) == accepted


@pytest.mark.parametrize("error", [ConfigError, PromptError])
def test_the_refusal_names_another(error):
    with pytest.raises(error) as refused:
        refuse_misread("nan", "my.yaml: models", error)
    assert refused.value.what == "the name 'nan' is read back from a CSV table as a missing value"
    assert refused.value.where == "my.yaml: models"
    assert refused.value.todo == "rename it, for instance to 'pnan'"
    refuse_misread("pnan", "", error)
