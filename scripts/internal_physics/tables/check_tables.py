"""Whether tables match their descriptions: columns, types and ranges; finite or flagged; every requested row, once."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from internal_physics.ground.errors import UserError
from internal_physics.ground.status import OK
from internal_physics.tables.columns import Column
from internal_physics.tables.presence import Presence, Run
from internal_physics.tables.read import table_parts
from internal_physics.tables.table import Quantity, Table

_SHOWN = 20  # problems listed in the message
_REPEATED = "multiple_fields_uniqueness"  # pandera's name of the check of the key


def check_tables(
    frames: Mapping[str, pd.DataFrame | Iterable[pd.DataFrame]],
    tables: Mapping[str, Table],
    *,
    metrics: Sequence[str],
    prompts: Mapping[str, Sequence[str]],
    runs: Sequence[Run],
) -> list[str]:
    """Check all tables.

    Args:
        frames: name → table, whole or in parts (see table_parts; the rows of a group are in one part). Each one is
            checked in full; tables that were not requested are not included.
        tables: their descriptions, and possibly others.
        metrics: all that the config requests.
        prompts: prompt set → names of its prompts.
        runs: every model in every condition, and the names of the prompt sets that must be there.

    Returns:
        One line for each table, with its number of rows and of flagged rows.

    Raises:
        UserError: with every failure, by table.
    """
    presence = Presence(runs, metrics, prompts)
    problems, of_config, lines = [], [], {}
    for name in _counted_first(frames, tables):
        table = tables[name]
        n_rows = n_flagged = 0
        for part in _parts(frames[name]):
            problems += [f"{name}: {problem}" for problem in table_problems(part, table)]
            if not problems:
                of_config += [f"{name}: {problem}" for problem in _missing_metrics(part, table, metrics)]
                of_config += presence.check(table, part)
            n_rows, n_flagged = n_rows + len(part), n_flagged + int((part.status != OK).sum())
        of_config += presence.finish(table)
        lines[name] = f"{name}: {n_rows} rows, {n_flagged} with a status other than ok"
    if problems := problems or of_config:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise UserError(
            "the tables do not hold what they promise:\n  " + "\n  ".join(problems[:_SHOWN] + more),
            todo="please report this: it is a bug",
        )
    return [lines[name] for name in frames]


def _parts(frame: pd.DataFrame | Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
    return [frame] if isinstance(frame, pd.DataFrame) else frame


def parts_of(inputs: Any, tables: Mapping[str, Table]) -> dict[str, Iterable[pd.DataFrame]]:
    """Every table among a rule's named inputs, in parts: a large one is never whole in memory."""
    named = dict(inputs.items())
    return {name: table_parts(named[name], table, table.group) for name, table in tables.items() if name in named}


def table_problems(frame: pd.DataFrame, table: Table) -> list[str]:
    """Problems of a table by itself; its rows are checked only if its columns are right."""
    frame = frame.reset_index(drop=True)
    return _failures(column_schema(table), frame) or _failures(row_schema(table), frame)


def column_schema(table: Table) -> pa.DataFrameSchema:
    """Columns in order, types and ranges; a number may be missing; `row_schema` checks that against the status."""
    columns = {
        name: pa.Column(column.dtype, _column_checks(column), nullable=column.is_nullable)
        for name, column in table.columns.items()
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def row_schema(table: Table) -> pa.DataFrameSchema:
    """Rules across columns: the key, which columns are finite under which status, and the ranges of quantities."""
    finite = {"status": table.finite} | dict(table.finite_under)
    checks = [_finite_check(column, status) for status, columns in finite.items() for column in columns]
    columns = {}
    if table.quantities:
        columns[table.quantity_column] = pa.Column(checks=_known_check(table.quantities))
        checks += [_quantity_check(q, table.quantity_column) for q in table.quantities if q.is_bounded]
    return pa.DataFrameSchema(columns, checks, unique=list(table.key), report_duplicates="exclude_first")


def _column_checks(column: Column) -> list[pa.Check]:
    checks = [pa.Check.isin(column.allowed)] if column.allowed else []
    if column.low is not None and column.high is not None:
        return [*checks, pa.Check.in_range(column.low, column.high)]
    checks += [pa.Check.ge(column.low)] if column.low is not None else []
    return checks + ([pa.Check.le(column.high)] if column.high is not None else [])


def _finite_check(column: str, status: str) -> pa.Check:
    return pa.Check(partial(_is_finite, column=column, status=status), error=_not_finite(column, status))


def _not_finite(column: str, status: str = "status") -> str:
    return f"{column}: not finite in a row with {status} ok"


def _is_finite(frame: pd.DataFrame, column: str, status: str = "status") -> bool:
    return bool(np.isfinite(frame.loc[frame[status] == OK, column].to_numpy(dtype=float, na_value=np.nan)).all())


def _known_check(quantities: Sequence[Quantity]) -> pa.Check:
    names = [quantity.name for quantity in quantities if not quantity.is_prefix]
    prefixes = tuple(quantity.name for quantity in quantities if quantity.is_prefix)
    return pa.Check(
        lambda column: column.isin(names) | column.str.startswith(prefixes), error="a quantity that its family declares"
    )


def _quantity_check(quantity: Quantity, column: str) -> pa.Check:
    wanted = partial(_is_in_range, quantity=quantity, column=column)
    return pa.Check(wanted, error=f"{quantity.name} outside [{quantity.low:g}, {quantity.high:g}]")


def _is_in_range(frame: pd.DataFrame, quantity: Quantity, column: str) -> bool:
    """A number lies in its quantity's range, whatever the status; numbers that are not finite are left to the
    status.
    """
    names = frame[column]
    values = frame.loc[names.str.startswith(quantity.name) if quantity.is_prefix else names == quantity.name, "value"]
    return bool(values[np.isfinite(values)].between(quantity.low, quantity.high).all())


def _failures(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> list[str]:
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        repeated = cases[cases["check"] == _REPEATED]
        found = [f"{repeated['index'].nunique()} repeated rows"] if len(repeated) else []
        others = cases[cases["check"] != _REPEATED]
        return found + list(dict.fromkeys(_failure(case) for case in others.itertuples()))
    return []


def _failure(case: Any) -> str:
    """One failure in words; the name of a check of whole rows is already the message."""
    return case.check if case.failure_case is False else f"{case.column}: {case.check} fails for {case.failure_case!r}"


def _missing_metrics(part: pd.DataFrame, table: Table, metrics: Sequence[str]) -> list[str]:
    """Columns of requested metrics without numbers: allowed only if a row's status says why."""
    asked_for = [metric for metric in metrics if metric in table.columns]
    return [_not_finite(metric) for metric in asked_for if not _is_finite(part, metric)]


def _counted_first(names: Iterable[str], tables: Mapping[str, Table]) -> list[str]:
    """The names; first those of tables that other tables' row counts are compared with."""
    counted = {tables[name].rows_as_in for name in names}
    return sorted(names, key=lambda name: name not in counted)
