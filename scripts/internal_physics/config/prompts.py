"""Prompts and prompt sets: read from YAML or CSV, or written in the config; checked before any work.

No heavy imports: the Snakefile reads prompt sets while it is parsed.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import PromptError
from internal_physics.ground.names import NAME, WHAT_A_NAME_IS
from internal_physics.ground.options import Name, names_of
from internal_physics.ground.strict_csv import Row, read_csv
from internal_physics.ground.strict_yaml import parse_yaml
from internal_physics.ground.suggest import did_you_mean
from internal_physics.ground.text_files import read_text
from internal_physics.ground.words import plural

LOGGER = logging.getLogger("internal_physics")


@dataclass(frozen=True)
class Prompt:
    """One text to run, and why it is there.

    Attributes:
        name: unique in its set; names its Parquet file.
        text: what the model reads; the gap of a masked model is written [MASK].
        kind: the group that it belongs to, in your own words; tables and figures compare the groups of a prompt set.
        difficulty: how hard it is, in your own words; tables keep it.
        expectation: what you expect to see, in your own words.
        reason: why the prompt is there, in your own words.
        answer: what a masked model should say at the [MASK] (one token), or how a causal model should continue the
            text (a word, without the space before it; of several tokens the first is followed). It is followed along
            depth; for a masked model it is also the target of the loss. If it is not given: the model's own most
            probable token.
        ids: the token ids that run, instead of a text: whole numbers, in YAML also as a list. For models without a
            tokenizer, and for exact control. The text is then left out; tables show the ids in its place.
    """

    name: Name
    text: str
    kind: str = ""
    difficulty: str = ""
    expectation: str = ""
    reason: str = ""
    answer: str | None = None
    ids: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain types, without the empty fields."""
        return {key: value for key, value in asdict(self).items() if value not in ("", None)}


FIELDS = names_of(Prompt)
USUAL_NAMES = {  # what other programs call the fields
    **dict.fromkeys(("id", "title"), "name"),
    **dict.fromkeys(("prompt", "sentence", "question", "input"), "text"),
    **dict.fromkeys(("category", "label", "group"), "kind"),
    **dict.fromkeys(("target", "completion", "output"), "answer"),
}
REQUIRED = tuple(field.name for field in fields(Prompt) if field.default is MISSING)


def read_prompts(path: str | Path, where: str = "") -> list[Prompt]:
    """Read a prompt set from .yaml/.yml (a mapping with `prompts:`, or a list) or .csv (a header row).

    The log says how many prompts were read, and which lines of a text look like a row of their own.

    Args:
        path: of the file.
        where: put before the path in messages: the place in the config that names it.

    Raises:
        PromptError: for a missing or unreadable file, and whatever `parse_prompts` refuses; for a .csv with the line.
        ConfigError: for a .yaml that is not YAML.
    """
    path = Path(path)
    place = f"{where}{path}"
    ending = path.suffix.lower()
    if ending == ".csv":
        prompts = _read_csv(path, place)
    elif ending in (".yaml", ".yml"):
        raw = parse_yaml(read_text(path, where=place, error=PromptError), place)
        prompts = parse_prompts(raw.get("prompts") if isinstance(raw, Mapping) else raw, where=place)
    else:
        raise PromptError(f"a prompt file ending in {path.suffix!r}", where=place, expected=".yaml, .yml or .csv")
    LOGGER.info("%s: %s", place, plural(len(prompts), "prompt"))
    return prompts


def _read_csv(path: Path, place: str) -> list[Prompt]:
    rows = read_csv(path, REQUIRED, known=FIELDS, usual=USUAL_NAMES, where=place, error=PromptError)
    prompts = parse_prompts([row.cells for row in rows], place, [f"line {row.line}" for row in rows])
    for row, prompt in zip(rows, prompts, strict=True):
        if line := _row_in_text(row):
            LOGGER.warning(
                "%s: line %d: the text of prompt %r goes on to line %d, and %r in it looks like a row of its own; "
                "if it is one, close the quote before it",
                *(place, row.line, prompt.name, row.last_line, line),
            )
    return prompts


def _row_in_text(row: Row) -> str:
    """The first line inside a quoted text that starts as a row does, with a usable name and a comma; else ""."""
    lines = [line for cell in row.cells.values() for line in cell.splitlines()[1:]]
    return next((line for line in lines if NAME.fullmatch(line.partition(",")[0]) and "," in line), "")


def parse_prompts(raw: Any, where: str, places: Sequence[str] | None = None) -> list[Prompt]:
    """Check and build the prompts of one set.

    Args:
        raw: a list of mappings with the fields of `Prompt`.
        where: the set's place, for messages.
        places: where each prompt stands in it; "prompt 1", "prompt 2", … if not given.

    Raises:
        PromptError: naming the place and the prompt: no prompts, unknown field, no text, unusable or repeated name.
    """
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise PromptError("no prompts found", where=where, expected="a list of prompts, each with `name` and `text`")
    places = [f"prompt {i}" for i in range(1, len(raw) + 1)] if places is None else places
    prompts = [_parse_prompt(entry, f"{where}: {place}") for entry, place in zip(raw, places, strict=True)]
    _refuse_repeated_names(prompts, places, where)
    return prompts


def _refuse_repeated_names(prompts: Sequence[Prompt], places: Sequence[str], where: str) -> None:
    first: dict[str, str] = {}
    for prompt, place in zip(prompts, places, strict=True):
        name = prompt.name.lower()
        if name in first:
            raise PromptError(
                f"the name {name!r} is used twice: {first[name]} and {place}",
                where=where,
                expected="a name of its own for each prompt (case ignored)",
            )
        first[name] = place


def _parse_prompt(entry: Any, where: str) -> Prompt:
    if not isinstance(entry, Mapping):
        raise PromptError(f"found {entry!r}", where=where, expected="a mapping with `name` and `text`")
    entry = _with_ids(entry, where)
    unknown = sorted(set(map(str, entry)) - set(FIELDS))
    if unknown:
        todo = did_you_mean(unknown[0], FIELDS, otherwise="remove it", usual=USUAL_NAMES)
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
            expected=WHAT_A_NAME_IS,
        )
    _refuse_blank_edges(entry, where)
    if not text.strip():
        raise PromptError(
            f"prompt {name!r} has no text",
            where=where,
            expected="a text to run",
            todo="write one or delete the prompt",
        )
    return Prompt(**{str(key): value for key, value in entry.items()})


def _with_ids(entry: Mapping[Any, Any], where: str) -> Mapping[Any, Any]:
    """The entry of a prompt of token ids, with its ids as a text and in place of a text."""
    given = entry.get("ids", "")
    if given in ("", None):
        return {key: value for key, value in entry.items() if key != "ids"}
    ids = " ".join(map(str, given)) if isinstance(given, Sequence) and not isinstance(given, str) else str(given)
    ids = " ".join(ids.replace(",", " ").split())
    if not all(number.isascii() and number.isdigit() for number in ids.split()):
        raise PromptError(f"ids is {given!r}", where=where, expected="whole numbers from 0, such as 7 9 11")
    if entry.get("text") not in (None, "", ids):
        raise PromptError(
            "a text and token ids", where=where, expected="one of them", todo="leave out `text`, or leave out `ids`"
        )
    return {**entry, "ids": ids, "text": ids}


def _refuse_blank_edges(entry: Mapping[str, str], where: str) -> None:
    """Groups of prompts are compared by these words: "easy" and " easy" would be two groups that look the same."""
    for field in ("kind", "difficulty"):
        if (word := entry.get(field, "")) != word.strip():
            raise PromptError(
                f"{field} {word!r} starts or ends with a blank",
                where=where,
                expected="the same word for every prompt of a group",
                todo="remove the blank",
            )
