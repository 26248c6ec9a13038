"""How options are declared: dataclasses whose types say what a value may be, as in `batch_size: Count = 16`.

A default stands in the dataclass and nowhere else, a meaning in its docstring. The schema of the config and its
documentation are made of both (see docs.sections); what an option is called with at run time is the same dataclass.
"""

from dataclasses import dataclass, fields
from typing import Annotated

from internal_physics.ground.names import NAME


@dataclass(frozen=True)
class Range:
    """Numbers from `minimum` on, larger than `above`, smaller than `below`; None for no bound."""

    minimum: float | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Size:
    """At least so many entries or characters; `unique`: none of them twice."""

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
