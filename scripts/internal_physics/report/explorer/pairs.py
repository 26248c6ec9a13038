"""Numbers of pairs of prompts, such as a kernel, as squares; and maps that place prompts on a plane. Pure, no I/O.

Index conventions: p, q prompt of a square.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from internal_physics.report.explorer.offers import (
    DIMENSIONLESS,
    OTHER_PROMPT,
    PLACE,
    STATUS,
    number_columns,
    plain_name,
)
from internal_physics.report.explorer.pack import Pack
from internal_physics.report.explorer.series import Statuses
from internal_physics.report.explorer.subjects import Subjects
from internal_physics.tables.columns import PLAIN
from internal_physics.tables.keys import PROMPT_KEY
from internal_physics.tables.table import Table

MAP_SHARE = "map_share"  # column: share of the squared distances of prompts that a map shows


def squares(
    rows: pd.DataFrame, table: Table, subjects: Subjects, statuses: Statuses, pack: Pack
) -> Iterator[dict[str, Any]]:
    """One square for every model, condition and further part (such as how it was computed).

    Args:
        rows: of a table of pairs; a pair may stand in one order alone. Rows of other prompts are left out.
        table: its description.
        subjects: of the page.
        statuses: of the page; new ones are added.
        pack: of the page; the numbers are added.

    Yields:
        part: texts; subjects: numbers of the p; numbers: {name, label, unit, meaning, values} with the place of [p, q];
        statuses: the place of [p, q], or null where all are ok.
    """
    second = rows[["model", "condition", *OTHER_PROMPT]].set_axis(PROMPT_KEY, axis=1)
    rows = rows.assign(p=subjects.rows_of(rows), q=subjects.rows_of(second))
    rows = rows[(rows["p"] >= 0) & (rows["q"] >= 0)]
    parts = _parts(table)
    for key, square in rows.groupby(["model", "condition", *parts], sort=False):
        members = np.unique(square[["p", "q"]].to_numpy())
        where = tuple(np.searchsorted(members, square[name]) for name in ("p", "q"))
        codes = np.zeros((len(members), len(members)), dtype=np.uint16)
        codes[where] = codes[where[::-1]] = statuses.coded(square[STATUS])
        yield {
            "part": [str(text) for text in key[2:]],
            "subjects": members.tolist(),
            "numbers": [
                _described(table, name) | {"values": pack.add(_filled(square[name], where, len(members)))}
                for name in number_columns(table)
            ],
            "statuses": pack.add(codes) if codes.any() else None,
        }


def maps(
    rows: pd.DataFrame, table: Table, subjects: Subjects, shares: Mapping[tuple[str, ...], float], pack: Pack
) -> Iterator[dict[str, Any]]:
    """One map for every model, condition and further part.

    Args:
        rows: of a table with places of prompts; those of other prompts are left out.
        table: its description.
        subjects: of the page.
        shares: model, condition and part → share of the squared distances that the map shows, as far as it is known.
        pack: of the page; the places are added.

    Yields:
        part, subjects, share (or null), and where x and y are in the pack.
    """
    rows = rows.assign(subject=subjects.rows_of(rows))
    rows = rows[rows["subject"] >= 0]
    for key, of_map in rows.groupby(["model", "condition", *_parts(table)], sort=False):
        places = {name: pack.add(of_map[name].to_numpy(dtype=np.float32)) for name in PLACE}
        told = {"part": [str(text) for text in key[2:]], "share": shares.get(key)}
        yield told | {"subjects": of_map["subject"].tolist()} | places


def shares_of_maps(rows: pd.DataFrame, table: Table) -> dict[tuple[str, ...], float]:
    """Key → share, of a table with a column `map_share`; a share that is missing is left out."""
    known = rows.dropna(subset=[MAP_SHARE])
    return {tuple(key): float(share) for *key, share in known[[*table.key, MAP_SHARE]].itertuples(index=False)}


def _parts(table: Table) -> list[str]:
    """Key columns beside the prompts."""
    return [name for name in table.key if name not in (*PROMPT_KEY, *OTHER_PROMPT)]


def _filled(values: pd.Series, where: tuple[np.ndarray, ...], n: int) -> np.ndarray:
    """[p, q] of float32, the same in both orders; NaN where there is none."""
    square = np.full((n, n), np.nan, dtype=np.float32)
    with np.errstate(over="ignore"):
        square[where] = square[where[::-1]] = values.to_numpy(dtype=np.float32)
    return square


def _described(table: Table, name: str) -> dict[str, Any]:
    column = table.columns[name]
    unit = DIMENSIONLESS if column.unit == PLAIN else column.unit
    return {"name": name, "label": plain_name(name), "unit": unit, "meaning": column.meaning}
