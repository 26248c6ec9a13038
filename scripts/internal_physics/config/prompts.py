"""Prompts and prompt sets: read from YAML or CSV, or written in the config; checked before any work.

No heavy imports: the Snakefile reads prompt sets while it is parsed.
"""

import csv
import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import PromptError
from internal_physics.ground.strict_yaml import load_yaml

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
FIELDS = ("name", "text", "kind", "difficulty", "expectation", "reason", "answer")


@dataclass(frozen=True)
class Prompt:
    """One text to run, and why it is there.

    Attributes:
        name: unique in its set; names its Parquet file.
        text: what the model reads; a masked model's gap is written [MASK].
        kind, difficulty, expectation, reason: free words that tables and figures group by.
        answer: what a masked model should say; None for its own best token.
    """

    name: str
    text: str
    kind: str = ""
    difficulty: str = ""
    expectation: str = ""
    reason: str = ""
    answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain types, without the empty fields."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}


def read_prompts(path: str | Path, where: str = "") -> list[Prompt]:
    """Read a prompt set from .yaml/.yml (a mapping with `prompts:`, or a list) or .csv (a header row).

    Args:
        path: of the file.
        where: put before the path in messages: the place in the config that names it.

    Raises:
        PromptError: for a missing or unreadable file, and whatever `parse_prompts` refuses.
    """
    path = Path(path)
    place = f"{where}{path}"
    if not path.exists():
        raise PromptError(
            "there is no such prompt file",
            where=place,
            todo="check the path; it is relative to the working directory",
        )
    if path.suffix == ".csv":
        raw: Any = _read_csv(path, place)
    elif path.suffix in (".yaml", ".yml"):
        raw = load_yaml(path)
        raw = raw.get("prompts") if isinstance(raw, Mapping) else raw
    else:
        raise PromptError(f"a prompt file ending in {path.suffix!r}", where=place, expected=".yaml, .yml or .csv")
    return parse_prompts(raw, where=place)


def _read_csv(path: Path, place: str) -> list[dict[str, str]]:
    """Rows without their empty cells; a byte-order mark, as spreadsheets write it, is skipped."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except UnicodeDecodeError as error:
        raise PromptError(f"not UTF-8 text: {error}", where=place, todo="save it as UTF-8") from error
    for i, row in enumerate(rows, start=1):
        if None in row:
            raise PromptError(
                "the row has more cells than the header",
                where=f"{place}: prompt {i}",
                todo="put a text with commas in double quotes",
            )
    return [{key: value for key, value in row.items() if value} for row in rows]


def parse_prompts(raw: Any, where: str) -> list[Prompt]:
    """Check and build the prompts of one set.

    Raises:
        PromptError: naming the place and the prompt: none at all, unknown field, no text, unusable or repeated name.
    """
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise PromptError("no prompts found", where=where, expected="a list of prompts, each with `name` and `text`")
    prompts = [_parse_prompt(entry, f"{where}: prompt {i}") for i, entry in enumerate(raw, start=1)]
    repeated = [name for name, n in Counter(p.name.lower() for p in prompts).items() if n > 1]
    if repeated:
        raise PromptError(
            f"the name {repeated[0]!r} is used twice",
            where=where,
            expected="a name of its own for each prompt (case ignored)",
        )
    return prompts


def _parse_prompt(entry: Any, where: str) -> Prompt:
    if not isinstance(entry, Mapping):
        raise PromptError(f"found {entry!r}", where=where, expected="a mapping with `name` and `text`")
    unknown = sorted(set(map(str, entry)) - set(FIELDS))
    if unknown:
        close = difflib.get_close_matches(unknown[0], FIELDS, n=1)
        todo = f"did you mean {close[0]!r}?" if close else "remove it"
        raise PromptError(
            f"unknown field {unknown[0]!r}", where=where, expected=f"some of {', '.join(FIELDS)}", todo=todo
        )
    wrong = [key for key, value in entry.items() if not isinstance(value, str)]
    if wrong:
        raise PromptError(f"{wrong[0]} is {entry[wrong[0]]!r}, not text", where=where, todo="put it in quotes")
    name, text = entry.get("name", ""), entry.get("text", "")
    if not NAME.fullmatch(name):
        raise PromptError(
            f"the name {name!r} cannot name a file",
            where=where,
            expected="letters, digits, '.', '_' and '-', starting with a letter or digit",
        )
    if not text.strip():
        raise PromptError(
            f"prompt {name!r} has no text",
            where=where,
            expected="a text to run",
            todo="write one or delete the prompt",
        )
    return Prompt(**{str(key): value for key, value in entry.items()})
