"""`ip.read_run`: the tables, traces and findings of a finished run of the workflow."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from internal_physics.api.checks import in_words
from internal_physics.api.trace import Trace, read_trace
from internal_physics.ground.errors import StoreError
from internal_physics.ground.names import BASELINE
from internal_physics.ground.suggest import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


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

    def table(self, name: str) -> "pd.DataFrame":
        """A table with its units in `.attrs["units"]` (column → unit) and the run's models in `.attrs["models"]`.

        Raises:
            StoreError: for a table that was not made; the message lists those that were.
        """
        import pyarrow.parquet as pq  # noqa: PLC0415

        _require_one_of(name, self.tables, "table", str(self.folder / "tables"))
        from internal_physics.tables.rows import reading  # noqa: PLC0415

        path = self.folder / "tables" / f"{name}.parquet"
        with reading(path):
            read = pq.read_table(path)
            frame = read.to_pandas()
        units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() for field in read.schema}
        frame.attrs |= {"table": name, "units": {column: unit for column, unit in units.items() if unit}}
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


def _names(folder: Path, ending: str) -> tuple[str, ...]:
    """Names of the folders, or of the files with an ending, in a folder; none where it is missing."""
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(p.name.removesuffix(ending) for p in folder.iterdir() if (p.suffix == ending if ending else p.is_dir()))
    )


def _require_one_of(name: object, known: tuple[str, ...], what: str, where: str) -> None:
    if name in known:
        return
    raise StoreError(
        f"there is no {what} {name!r}",
        where=where,
        expected=f"one of {', '.join(known)}" if known else f"at least one {what}",
        todo=did_you_mean(name, known),
    )
