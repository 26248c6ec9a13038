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
OUT_OF_FORMAT = "too large or too small for this page; the table has it"
NOT_SAID = "not finite"
STATUS_OK, STATUS_ABSENT = 0, 1


@dataclass
class Statuses:
    """The texts of all statuses of a page, by number: 0 is ok, 1 is absent."""

    texts: list[str] = field(default_factory=lambda: [OK, ABSENT])

    def coded(self, values: pd.Series) -> np.ndarray:
        """The number of every status; new ones are added."""
        values = values.fillna(NOT_SAID)
        known = {text: number for number, text in enumerate(self.texts)}
        for text in dict.fromkeys(values):
            if text not in known:
                known[text] = len(self.texts)
                self.texts.append(str(text))
        return values.map(known).to_numpy(dtype=np.uint16)

    def number(self, text: str) -> int:
        """The number of one status."""
        return int(self.coded(pd.Series([text]))[0])


@dataclass(frozen=True, eq=False)
class Series:
    """One number of every subject, along depth or not.

    Attributes:
        name: of the quantity or column.
        part: texts that say which of several numbers of that name: a token, a kind of weight, a reference; () for none.
        first_layer: layer of the first column; None for a number without layers.
        values: float32 [s, l], or [s, 1]; NaN where there is none.
        statuses: uint16 [s, l], numbers in `Statuses`.
        n_merged: how many rows the fullest cell is the mean of.
    """

    name: str
    part: tuple[str, ...]
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
        rows = rows.assign(subject=self.subjects.rows_of(rows))
        rows = rows[rows["subject"] >= 0]
        if is_long(self.table):
            for name, of_quantity in rows.groupby(self.table.quantity_column, sort=False):
                yield from self._by_part(of_quantity, str(name), VALUE)
            return
        for column in number_columns(self.table):
            yield from self._by_part(rows, column, column)

    def _by_part(self, rows: pd.DataFrame, name: str, column: str) -> Iterator[Series]:
        """One series for every part; one without any number or remark is left out."""
        parts = part_columns(self.table)
        groups = rows.groupby(parts, sort=False, dropna=False) if parts else [((), rows)]
        for key, of_part in groups:
            told = tuple(str(text) for text in key if pd.notna(text))
            series = self._series(of_part, name, told, column)
            if np.isfinite(series.values).any() or (series.statuses > STATUS_ABSENT).any():
                yield series

    def _series(self, rows: pd.DataFrame, name: str, part: tuple[str, ...], column: str) -> Series:
        layers = rows[LAYER].astype("Float64") if LAYER in rows else pd.Series(pd.NA, index=rows.index, dtype="Float64")
        has_depth = layers.nunique() > 1
        first = int(layers.min()) if has_depth else None
        shape = (len(self.subjects), int(layers.max()) - (first or 0) + 1 if has_depth else 1)
        offset = (layers - (first or 0)).to_numpy(dtype=float, na_value=0.0) if has_depth else np.zeros(len(rows))
        cells = rows["subject"].to_numpy() * shape[1] + offset.astype(np.int64)
        given = rows[column].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        codes = self.statuses.coded(rows[status_of(self.table, column)])
        values, found, n_merged = _filled(cells, given, codes, shape[0] * shape[1], self.statuses)
        return Series(name, part, first, values.reshape(shape), found.reshape(shape), n_merged)


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
    lost = np.isfinite(exact) & (~np.isfinite(values) | ((values == 0) & (exact != 0)))
    values[lost], found[lost] = np.nan, statuses.number(OUT_OF_FORMAT) if lost.any() else 0
    return values, found, int(np.bincount(cells, minlength=1).max()) if len(cells) else 1


def n_numbers(rows_by_table: Mapping[str, int], tables: Mapping[str, Table]) -> int:
    """Numbers that a page of these tables holds: rows times numbers in a row."""
    return sum(n * len(number_columns(tables[name])) for name, n in rows_by_table.items())
