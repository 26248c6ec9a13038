"""Whether every row that the config asks for is present, and no others."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import pandas as pd

from internal_physics.tables.table import Table

Run = tuple[str, str, Sequence[str]]  # model, condition, names of its prompt sets


class Presence:
    """The rows that a config asks for, compared part by part; a group is never in two parts.

    Args:
        runs: model, condition, and the names of the prompt sets that must be there.
        metrics: all that were asked for.
        prompts: prompt set → names of its prompts.
    """

    def __init__(self, runs: Sequence[Run], metrics: Sequence[str], prompts: Mapping[str, Sequence[str]]) -> None:
        self._metrics, self._prompts = set(metrics), prompts
        self._places = [
            {"model": model, "condition": condition, "prompt_set": name}
            for model, condition, names in runs
            for name in names
        ]
        self._waiting: dict[str, dict[tuple, None]] = {}
        self._n_rows: dict[str, dict[str, int]] = {}  # table → model → its rows

    def check(self, table: Table, part: pd.DataFrame) -> list[str]:
        """Problems of the groups of a part; a table must come before the tables whose row counts are compared with
        it.
        """
        if "model" in part:
            counts = self._n_rows.setdefault(table.name, {})
            for model, n_rows in part["model"].value_counts().items():
                counts[model] = counts.get(model, 0) + int(n_rows)
        if table.members is None:
            return []
        waiting = self._waiting.setdefault(table.name, self._groups(table))
        problems = []
        for key, rows in _without_optional(part, table).groupby(list(table.group), sort=False):
            problems += self._of_group(table, key, rows, asked_for=key in waiting)
            waiting.pop(key, None)
        return problems

    def finish(self, table: Table) -> list[str]:
        """Problems of groups that were in no part."""
        if table.members is None:
            return []
        left = self._waiting.get(table.name, self._groups(table))
        no_rows = pd.DataFrame(columns=list(table.columns))
        return [problem for key in left for problem in self._of_group(table, key, no_rows, asked_for=True)]

    def _groups(self, table: Table) -> dict[tuple, None]:
        return dict.fromkeys(tuple(place[column] for column in table.group) for place in self._places)

    def _of_group(self, table: Table, key: tuple, rows: pd.DataFrame, *, asked_for: bool) -> list[str]:
        expected = self._expected(table, key) if asked_for else []
        present = _members(rows, table.members or ())
        strange = sorted(set(present) - set(expected), key=str)
        problems = [f"{table.name}: unexpected row for {_shown(key + m)}" for m in strange]
        if table.rows_as_in:
            return problems + self._count_problems(table, key, present, expected)
        return [f"{table.name}: no row for {_shown(key + m)}" for m in expected if m not in present] + problems

    def _count_problems(
        self, table: Table, key: tuple, present: Mapping[tuple, int], expected: Iterable[tuple]
    ) -> list[str]:
        """Every member has as many rows as the model has in the other table."""
        model = key[list(table.group).index("model")]
        wanted = self._n_rows.get(table.rows_as_in, {}).get(model, 0)
        return [
            f"{table.name}: {present.get(m, 0)} rows for {_shown(key + m)}, expected {wanted}"
            for m in expected
            if wanted == 0 or present.get(m, 0) != wanted
        ]

    def _expected(self, table: Table, key: tuple) -> list[tuple]:
        """The members that a group must have."""
        if table.filled_by and not self._metrics & set(table.filled_by):
            return []
        place = dict(zip(table.group, key, strict=True))
        return list(product(*(self._values(table, column, place) for column in table.members or ())))

    def _values(self, table: Table, column: str, place: Mapping[str, str]) -> Sequence[str | int]:
        if column == "prompt":
            return self._prompts[place["prompt_set"]]
        if column == "rank":
            return range(1, len(self._prompts[place["prompt_set"]]) + 1)
        if column == table.quantity_column:
            return [q.name for q in table.quantities if q.metric in self._metrics and not q.is_prefix]
        return table.columns[column].allowed


def _members(rows: pd.DataFrame, columns: Sequence[str]) -> dict[tuple, int]:
    """The members of a group, and how many rows each has."""
    if not columns:
        return {(): len(rows)} if len(rows) else {}
    return rows.value_counts(list(columns), sort=False).to_dict()


def _without_optional(rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The rows without those of optional quantities."""
    prefixes = tuple(quantity.name for quantity in table.quantities if quantity.is_prefix)
    is_judged = table.quantity_column in (table.members or ()) and prefixes
    return rows[~rows[table.quantity_column].str.startswith(prefixes)] if is_judged else rows


def _shown(key: tuple) -> str:
    return " / ".join(map(str, key))
