"""`ip.read_run`: the tables, traces and findings of a finished run of the workflow."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from internal_physics.api.checks import in_words
from internal_physics.api.trace import Trace, read_trace
from internal_physics.ground.errors import StoreError
from internal_physics.ground.names import BASELINE
from internal_physics.ground.suggest import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 20  # known names in a message


@in_words
def read_run(folder: str | Path = "results") -> "Run":
    """Open the results of a run.

    Args:
        folder: where the workflow wrote them.

    Raises:
        StoreError: if the folder holds no run.
    """
    if not isinstance(folder, str | Path):
        raise StoreError(f"found a {type(folder).__name__}", where="read_run → folder", expected="a folder")
    path = Path(folder)
    if not (path / "tables").is_dir() and not (path / "tensors").is_dir():
        raise StoreError(
            "there is no run in it" if path.is_dir() else "there is no such folder",
            where=str(path),
            expected="the folder of results that the workflow wrote, with tables/ in it",
        )
    return Run(path)


class Run:
    """A finished run: its tables, its traces and its findings, read when they are asked for.

    Args:
        folder: of its results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        models = self.models
        shown = ", ".join(models[:4]) + (f" and {len(models) - 4} more" if len(models) > 4 else "")
        return f"Run({str(self.folder)!r}: {len(self.tables)} tables, models {shown})"

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that were made."""
        return _names(self.folder / "tables", ".parquet")

    @property
    def models(self) -> tuple[str, ...]:
        """The models in the order of the config, which fixes their colours; by name where table `models` is missing."""
        path = self.folder / "tables" / "models.parquet"
        if not path.is_file():
            return _names(self.folder / "tensors", "")
        import pandas as pd  # noqa: PLC0415

        return tuple(pd.read_parquet(path, columns=["model"])["model"])

    def table(self, name: str, /, **where: Any) -> "pd.DataFrame":
        """A table, or its rows of one model, prompt set, …: `run.table("decided", model="a", kind="capital")`.

        Units are in `.attrs["units"]` (column → unit), the run's models in `.attrs["models"]`, what was asked for in
        `.attrs["where"]`.

        Args:
            name: of the table.
            **where: column → the value that its rows have there; the column is then left out. A list of values keeps
                it.

        Raises:
            StoreError: for a table that was not made, a column that it has not, or a value that no row has; the message
                lists those that there are.
        """
        import pyarrow.parquet as pq  # noqa: PLC0415

        _require_one_of(name, self.tables, "table", str(self.folder / "tables"))
        from internal_physics.tables.rows import reading  # noqa: PLC0415

        path = self.folder / "tables" / f"{name}.parquet"
        with reading(path):
            schema = pq.read_schema(path)
        for column, value in where.items():
            _require_one_of(column, tuple(schema.names), "column", f"table {name}")
            _require_type(value, schema.field(column).type, f"table {name} → {column}")
        several = {column: isinstance(value, list | tuple) for column, value in where.items()}
        with reading(path):
            wanted = [(c, "in", list(value)) if several[c] else (c, "==", value) for c, value in where.items()]
            read = pq.read_table(path, filters=wanted or None)
        if where and not read.num_rows:
            _explain_no_rows(path, name, where)
        frame = read.drop_columns([column for column, is_list in several.items() if not is_list]).to_pandas()
        units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in schema}
        frame.attrs |= {"table": name, "units": {c: units[c] for c in frame if units[c]}, "where": where}
        frame.attrs["models"] = list(self.models)
        return frame

    def trace(self, model: str, prompt_set: str, prompt: str, *, condition: str = BASELINE) -> Trace:
        """The record of one prompt, read lazily.

        Raises:
            StoreError: for a model, condition, set or prompt without records; the message lists those with records.
        """
        place = self.folder / "tensors"
        for what, name in (("model", model), ("condition", condition), ("prompt set", prompt_set)):
            _require_one_of(name, _names(place, ""), what, str(place))
            place = place / name
        _require_one_of(prompt, _names(place, ".parquet"), "prompt", str(place))
        return read_trace(place / f"{prompt}.parquet")

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings of the run as sentences, read from findings.json.

        Raises:
            StoreError: if the run has no such file, or it is damaged.
        """
        path = self.folder / "findings.json"
        if not path.is_file():
            raise StoreError(
                "this run has no findings", where=str(path), expected="a run of a version that writes them"
            )
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"it is damaged ({error})", where=str(path), todo="run the workflow again") from None


def _require_type(value: object, kind: Any, where: str) -> None:
    """Refuse a text for a column of numbers, and a number for a column of texts."""
    import pyarrow as pa  # noqa: PLC0415

    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, str) != is_text or not isinstance(one, str | int | float | np.generic):
            expected = "a text, or a list of texts" if is_text else "a number, or a list of numbers"
            raise StoreError(f"found {one!r:.60}", where=where, expected=expected)


def _explain_no_rows(path: Path, table: str, where: Mapping[str, Any]) -> None:
    """Refuse the first value that the table has in no row; if each is in some row, they are in none together."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    place = f"table {table}"
    columns = pq.read_table(path, columns=list(where))
    for column, wanted in where.items():
        known = tuple(dict.fromkeys(columns[column].to_pylist()))
        for value in wanted if isinstance(wanted, list | tuple) else [wanted]:
            _require_one_of(value, known, column.replace("_", " "), place)
    asked = ", ".join(f"{column} {value!r}" for column, value in where.items())
    raise StoreError(f"there is no row with {asked}", where=place, expected="values that occur together")


def _names(folder: Path, ending: str) -> tuple[str, ...]:
    """Names of the folders, or of the files with an ending, in a folder; none where it is missing."""
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(p.name.removesuffix(ending) for p in folder.iterdir() if (p.suffix == ending if ending else p.is_dir()))
    )


def _listed(known: Sequence[object]) -> str:
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return ", ".join(map(str, known[:_LISTED])) + more


def _require_one_of(name: object, known: Sequence[object], what: str, where: str) -> None:
    if name in known:
        return
    raise StoreError(
        f"there is no {what} {name!r}",
        where=where,
        expected=f"one of {_listed(known)}" if known else f"at least one {what}",
        todo=did_you_mean(name, known) if isinstance(name, str) else "",
    )
