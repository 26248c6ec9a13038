"""Names of models, prompt sets, conditions and prompts: they name files and appear in tables."""

import re

from internal_physics.ground.errors import UserError

BASELINE = "baseline"  # the condition without an intervention
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
WHAT_A_NAME_IS = "letters, digits, '.', '_' and '-', starting with a letter or digit"
_MISSING = {"NA", "NULL", "NaN", "None", "nan", "null"}
_TRUTH_VALUES = {"true", "false"}
_INFINITE = {"inf", "infinity"}
_NUMBER = re.compile(r"[0-9]+\.?[0-9]*([eE]-?[0-9]+)?")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")  # read back with the same digits


def misread_as(name: str) -> str:
    """What CSV readers take a name for by default; "" if it is read back unchanged.

    CSV has no types. pandas and others read nan and null as missing values, TRUE as a boolean, and 1e3, 007 and
    1.10 as the numbers 1000, 7 and 1.1. The Parquet files would then hold a different name.
    """
    if name in _MISSING:
        return "a missing value"
    if name.lower() in _TRUTH_VALUES:
        return "a truth value"
    if name.lower() in _INFINITE or (_NUMBER.fullmatch(name) and not _WHOLE_NUMBER.fullmatch(name)):
        return "a number"
    return ""


def refuse_misread(name: str, where: str, error: type[UserError]) -> None:
    """Refuse a name that would not be read back unchanged from a CSV table.

    Raises:
        UserError: of the kind `error`, with a name to use instead.
    """
    if kind := misread_as(name):
        raise error(
            f"the name {name!r} is read back from a CSV table as {kind}",
            where=where,
            expected="a name that reads as text, or a whole number without leading zeros",
            todo=f"rename it, for instance to {f'p{name}'!r}",
        )
