"""What a command answers: plain data for --json, and a document for a person; and how both are written."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from internal_physics.cli.layout import Block, Style, render
from internal_physics.ground.status import OK


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes:
        data: plain types; numbers may be NaN or infinite.
        document: the same for a person.
        status: the exit status.
    """

    data: Mapping[str, Any]
    document: Sequence[Block]
    status: int = 0


def write(answer: Answer, out: TextIO, *, as_json: bool) -> None:
    """Write an answer as JSON, or as text in the style of where it goes."""
    if as_json:
        out.write(json.dumps(strict(answer.data), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    else:
        out.write(render(answer.document, style_of(out, os.environ)))


def style_of(out: TextIO, environment: Mapping[str, str]) -> Style:
    """Colours on a terminal that has them and where NO_COLOR is not set; Unicode where the encoding can write it."""
    is_terminal = out.isatty() and environment.get("TERM") != "dumb"
    try:
        "█‖−∂".encode(getattr(out, "encoding", None) or "ascii")
        unicode = environment.get("TERM") != "linux"  # its font has no eighths
    except (UnicodeEncodeError, LookupError):
        unicode = False
    return Style(unicode=unicode, color=is_terminal and not environment.get("NO_COLOR"))


def strict(value: Any) -> Any:
    """The value as strict JSON has it: NaN and infinite numbers become null, and `status` beside them says so."""
    if isinstance(value, Mapping):
        return _strict_mapping(value)
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, Sequence):
        return [strict(one) for one in value]
    number = float(value)
    return number if math.isfinite(number) else None


def _strict_mapping(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {str(key): strict(one) for key, one in value.items()}
    lost = [f"{key} is {_name_of(one)}" for key, one in value.items() if _is_lost(one)]
    if lost and found.get("status", OK) == OK:
        found["status"] = ", ".join(lost)
    return found


def _is_lost(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _name_of(value: float) -> str:
    return "not a number" if math.isnan(value) else "infinite"
