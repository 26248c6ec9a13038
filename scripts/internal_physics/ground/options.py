"""How options are declared: dataclasses whose types say what a value may be, as in `batch_size: Count = 16`.

Defaults are defined in the dataclass only, meanings in its docstring. The config schema and the documentation are
generated from both (see docs.sections). At run time, the options of a job are an instance of the same dataclass.
"""

from dataclasses import dataclass, fields
from typing import Annotated

from internal_physics.ground.names import NAME


@dataclass(frozen=True)
class Range:
    """Numbers at least `minimum`, greater than `above`, less than `below`; None for no bound."""

    minimum: float | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Size:
    """A minimum number of entries or characters; `unique`: no entry twice."""

    minimum: int = 0
    unique: bool = False


@dataclass(frozen=True)
class Pattern:
    """Text in which this regular expression is found."""

    regex: str


Name = Annotated[str, Pattern(NAME.pattern)]
Text = Annotated[str, Size(1)]
Count = Annotated[int, Range(minimum=1)]
NaturalNumber = Annotated[int, Range(minimum=0)]
PositiveNumber = Annotated[float, Range(above=0)]
NonNegativeNumber = Annotated[float, Range(minimum=0)]
Share = Annotated[float, Range(above=0, below=1)]


def names_of(options: type) -> tuple[str, ...]:
    """Names of the options that a dataclass declares, in order."""
    return tuple(field.name for field in fields(options))
