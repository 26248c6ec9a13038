"""Rows of a table → arrays over subjects and layers, each cell with a value or the reason why it has none. Pure.

Index conventions: s subject, l layer from the first one that a series has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from internal_physics.ground.status import OK
from internal_physics.report.explorer.offers import LAYER, VALUE, is_long, number_columns, part_columns, status_of
from internal_physics.report.explorer.subjects import Subjects
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Table

ABSENT = "no such row in the table"
TOO_LARGE = "too large for this page; the table has it"
TOO_SMALL = "closer to zero than this page can show; the table has it"
SMALLEST = np.finfo(np.float32).tiny
NOT_SAID = "not finite"
STATUS_OK, STATUS_ABSENT = 0, 1


@dataclass
class Statuses:
    """The texts of all statuses of a page, by number: 0 is ok, 1 is absent."""

    texts: list[str] = field(default_factory=lambda: [OK, ABSENT])

    def coded(self, values: pd.Series) -> np.ndarray:
        """The number of every status; new ones are added."""
        places, found = pd.factorize(values.fillna(NOT_SAID))
        for text in found:
            if text not in self.texts:
                self.texts.append(str(text))
        return np.array([self.texts.index(text) for text in found], dtype=np.uint16)[places]

    def number(self, text: str) -> int:
        """The number of one status."""
        return int(self.coded(pd.Series([text]))[0])


@dataclass(frozen=True, eq=False)
class Series:
    """One number of every subject, along depth or not.

    Attributes:
        name: of the quantity or column.
        part: which of several numbers of that name: column → text, such as a token or a kind of weight; {} for one.
        first_layer: layer of the first column; None for a number without layers.
        values: float32 [s, l], or [s, 1]; NaN where there is none.
        statuses: uint16 [s, l], numbers in `Statuses`.
        n_merged: how many rows the fullest cell is the mean of.
    """

    name: str
    part: dict[str, str]
    first_layer: int | None
    values: np.ndarray
    statuses: np.ndarray
    n_merged: int = 1


def columns_needed(table: Table) -> list[str]:
    """Columns of a table that its series are made of."""
    numbers = number_columns(table)
    named = [table.quantity_column] if is_long(table) else []
    layer = [LAYER] if LAYER in table.columns else []
    statuses = [status_of(table, column) for column in numbers]
    return list(dict.fromkeys([*PROMPT_KEY, *named, *part_columns(table), *layer, *numbers, *statuses]))


@dataclass(frozen=True)
class SeriesMaker:
    """Makes the series of a table.

    Attributes:
        table: its description.
        subjects: of the page; rows of others are left out.
        statuses: of the page; new ones are added.
    """

    table: Table
    subjects: Subjects
    statuses: Statuses

    def make(self, rows: pd.DataFrame) -> Iterator[Series]:
        """All series of the table, from its rows with `columns_needed`."""
        rows = self._prepared(rows)
        if is_long(self.table):
            for name, of_quantity in rows.groupby(self.table.quantity_column, sort=False, observed=True):
                yield from self._by_part(of_quantity, str(name), VALUE)
            return
        for column in number_columns(self.table):
            yield from self._by_part(rows, column, column)

    def _prepared(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of the page's subjects; statuses as numbers and other texts as categories, which are fast to part."""
        subject = self.subjects.rows_of(rows)
        rows = rows.drop(columns=PROMPT_KEY).assign(subject=subject)[subject >= 0]
        numbers = number_columns(self.table)
        for status in dict.fromkeys(status_of(self.table, column) for column in numbers):
            rows[status] = self.statuses.coded(rows[status])
        texts = [*part_columns(self.table), *([self.table.quantity_column] if is_long(self.table) else [])]
        return rows.astype(dict.fromkeys(texts, "category"))

    def _by_part(self, rows: pd.DataFrame, name: str, column: str) -> Iterator[Series]:
        """One series for every part; one without any number or remark is left out."""
        parts = part_columns(self.table)
        groups = rows.groupby(parts, sort=False, dropna=False, observed=True) if parts else [((), rows)]
        for key, of_part in groups:
            told = {name: str(text) for name, text in zip(parts, key, strict=True) if pd.notna(text)}
            series = self._series(of_part, name, told, column)
            if np.isfinite(series.values).any() or (series.statuses > STATUS_ABSENT).any():
                yield series

    def _series(self, rows: pd.DataFrame, name: str, part: dict[str, str], column: str) -> Series:
        layers = _floats(rows[LAYER]) if LAYER in rows else np.full(len(rows), np.nan)
        has_depth = len(np.unique(layers[np.isfinite(layers)])) > 1
        first = int(np.nanmin(layers)) if has_depth else None
        shape = (len(self.subjects), int(np.nanmax(layers)) - (first or 0) + 1 if has_depth else 1)
        offset = np.nan_to_num(layers - (first or 0)) if has_depth else np.zeros(len(rows))
        cells = rows["subject"].to_numpy() * shape[1] + offset.astype(np.int64)
        codes = rows[status_of(self.table, column)].to_numpy()
        values, found, n_merged = _filled(cells, _floats(rows[column]), codes, shape[0] * shape[1], self.statuses)
        return Series(name, part, first, values.reshape(shape), found.reshape(shape), n_merged)


def _floats(numbers: pd.Series) -> np.ndarray:
    """float64, NaN where a number is missing."""
    return numbers.astype("Float64").to_numpy(dtype=float, na_value=np.nan)


def _filled(
    cells: np.ndarray, given: np.ndarray, codes: np.ndarray, size: int, statuses: Statuses
) -> tuple[np.ndarray, np.ndarray, int]:
    """Values and statuses of all cells; a cell with several rows (the weights of experts) holds the mean of the finite
    ones.
    """
    usable = np.isfinite(given)
    n_usable = np.bincount(cells[usable], minlength=size)
    sums = np.bincount(cells[usable], weights=given[usable], minlength=size)
    exact = np.full(size, np.nan)
    np.divide(sums, n_usable, out=exact, where=n_usable > 0)
    with np.errstate(over="ignore"):
        values = exact.astype(np.float32)
    found = np.full(size, STATUS_ABSENT, dtype=np.uint16)
    found[cells] = codes
    found[(found == STATUS_OK) & np.isnan(exact)] = statuses.number(NOT_SAID)
    _mark_unshown(exact, values, found, statuses)
    return values, found, int(np.bincount(cells, minlength=1).max()) if len(cells) else 1


def _mark_unshown(exact: np.ndarray, values: np.ndarray, found: np.ndarray, statuses: Statuses) -> None:
    """Numbers that float32 cannot hold, in place: a large one is absent, a small one the smallest there is, never 0."""
    is_large = np.isfinite(exact) & ~np.isfinite(values)
    is_small = (exact != 0) & (np.abs(exact) < SMALLEST)
    if is_large.any():
        values[is_large], found[is_large] = np.nan, statuses.number(TOO_LARGE)
    if is_small.any():
        values[is_small], found[is_small] = np.copysign(SMALLEST, exact[is_small]), statuses.number(TOO_SMALL)


def n_numbers(rows_by_table: Mapping[str, int], tables: Mapping[str, Table]) -> int:
    """Numbers that a page of these tables holds: rows times numbers in a row."""
    return sum(n * len(number_columns(tables[name])) for name, n in rows_by_table.items())
