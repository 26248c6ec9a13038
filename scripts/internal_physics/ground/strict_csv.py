"""Strict CSV: anything ambiguous is refused, with its line number.

Rows are those of RFC 4180: cells separated by commas, a cell with commas, quotes or line breaks in double quotes, a
quote in it doubled. Lines are counted from 1, the header.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from internal_physics.ground.errors import ConfigError, UserError
from internal_physics.ground.suggest import did_you_mean
from internal_physics.ground.text_files import read_text

_LONGEST_CELL = 2**31 - 1  # characters; the csv module's own limit is 131,072
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "'|'"}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        cells: column name → text, exactly as written; columns without a name and empty cells are left out.
        line: where it starts.
        last_line: where it ends; later than `line` where a quoted cell spans lines.
    """

    cells: dict[str, str]
    line: int
    last_line: int


@dataclass(frozen=True)
class _Record:
    cells: list[str]
    line: int
    last_line: int


def read_csv(
    path: str | Path,
    required: Sequence[str],
    *,
    known: Sequence[str] | None = None,
    usual: Mapping[str, str] | None = None,
    where: str = "",
    error: type[UserError] = ConfigError,
) -> list[Row]:
    """Read a table with a header; rows without any text are skipped.

    Args:
        path: of the file.
        required: columns that the header must have.
        known: columns that it may have; any if not given.
        usual: names that other programs use for known columns, in lower case.
        where: named in messages; the path where it is empty.
        error: kind of error to raise.

    Raises:
        UserError: of the kind `error`, naming file and line: a file that is not UTF-8 text; a quote that is not closed
            or is in the wrong place; columns separated by another character, repeated, missing or unknown; a row
            with fewer or more cells than the header.
    """
    place = where or str(path)
    text = read_text(path, where=place, error=error)
    _refuse_other_separator(text, required, place, error)
    records = list(_records(text, place, error))
    if not records:
        return []
    header, *rows = records
    columns = header.cells
    _check_header(columns, required, known=known, usual=usual, place=f"{place}: line {header.line}", error=error)
    for record in rows:
        _refuse_other_length(record, columns, place, error)
    return [
        Row({key: value for key, value in zip(columns, r.cells, strict=True) if key and value}, r.line, r.last_line)
        for r in rows
    ]


def _records(text: str, place: str, error: type[UserError]) -> Iterator[_Record]:
    """Every line or group of lines that forms a row that is not empty."""
    lines = io.StringIO(text, newline="").readlines()
    reader = csv.reader(lines, strict=True)
    end = 0
    with _long_cells():
        while True:
            start = end + 1
            try:
                cells = next(reader, None)
            except csv.Error as problem:
                raise _not_closed(problem, start, reader.line_num, place, error) from problem
            if cells is None:
                return
            end = reader.line_num
            _refuse_blank_before_quote(cells, "".join(lines[start - 1 : end]), f"{place}: line {start}", error)
            if any(cell.strip() for cell in cells):
                yield _Record(cells, start, end)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Lift the csv module's limit on the length of a cell, which is global to the process."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _not_closed(problem: csv.Error, start: int, end: int, place: str, error: type[UserError]) -> UserError:
    """What is wrong with the quotes of the row between two lines."""
    if "unexpected end" in str(problem):
        what = "a double quote is opened and never closed"
    else:
        what = f"after a closing double quote, in line {end}, there is neither a comma nor the end of the line"
    return error(
        what,
        where=f"{place}: line {start}",
        expected='a text with commas, quotes or line breaks in double quotes, and a quote in it doubled ("")',
        todo="close the quote in this row, or double it",
    )


def _refuse_blank_before_quote(cells: list[str], raw: str, place: str, error: type[UserError]) -> None:
    """With a blank before the opening quote, the quotes become part of the text and a comma inside ends the cell."""
    for cell in cells:
        if cell != cell.lstrip() and cell.lstrip().startswith('"') and (f",{cell}" in raw or raw.startswith(cell)):
            raise error(
                "there is a blank before a double quote",
                where=place,
                expected="the quote as the first character of its cell",
                todo="remove the blank",
            )


def _check_header(
    columns: Sequence[str],
    required: Sequence[str],
    *,
    known: Sequence[str] | None,
    usual: Mapping[str, str] | None,
    place: str,
    error: type[UserError],
) -> None:
    expected = f"a header with {' and '.join(required)}"
    missing = [column for column in required if column not in columns]
    unknown = [column for column in columns if column and known is not None and column not in known]
    if unknown and known:
        todo = did_you_mean(unknown[0].strip().lower(), known, otherwise="remove it", usual=usual)
        raise error(f"unknown column {unknown[0]!r}", where=place, expected=f"some of {', '.join(known)}", todo=todo)
    if missing:
        raise error(f"there is no column {missing[0]!r}", where=place, expected=expected, todo="add it to the header")
    repeated = [column for column, n in Counter(columns).items() if column and n > 1]
    if repeated:
        raise error(f"the column {repeated[0]!r} is given twice", where=place, expected="each column once")


def _refuse_other_separator(text: str, required: Sequence[str], place: str, error: type[UserError]) -> None:
    """Look at the header as text: with other separators its quotes may not even be those of a CSV."""
    header = text.lstrip().partition("\n")[0]
    place = f"{place}: line {text[: text.find(header)].count(chr(10)) + 1}"
    if header.startswith("sep="):
        raise error("the first line names the separator", where=place, expected="the header", todo="remove this line")
    for separator, name in _OTHER_SEPARATORS.items():
        columns = [cell.strip().strip('"') for cell in header.split(separator)]
        if len(columns) > 1 and ("," not in header or set(columns) & set(required)):
            raise error(
                f"its columns are separated by {name}",
                where=place,
                expected="columns separated by commas",
                todo="export it with commas as the separator",
            )


def _refuse_other_length(record: _Record, columns: list[str], place: str, error: type[UserError]) -> None:
    place = f"{place}: line {record.line}"
    if len(record.cells) != len(columns):
        more = len(record.cells) > len(columns)
        raise error(
            f"the row has {'more' if more else 'fewer'} cells than the header: {len(record.cells)}",
            where=place,
            expected=f"{len(columns)}: {', '.join(column or '(no name)' for column in columns)}",
            todo="put a text with commas in double quotes"
            if more
            else "leave nothing between the commas of an empty cell",
        )
    nameless = [cell for column, cell in zip(columns, record.cells, strict=True) if not column and cell.strip()]
    if nameless:
        raise error(f"{nameless[0]!r} is in a column without a name", where=place, todo="name it in the header")
