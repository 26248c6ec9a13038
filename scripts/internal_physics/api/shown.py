"""What `show` says about a file: facts, and tables of rows. No pandas, no torch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from internal_physics.ground.errors import StoreError

Row = Mapping[str, Any]
N_ROWS = 3  # of a preview


@dataclass(frozen=True)
class Described:
    """One column: its name, type, unit ("" for none) and meaning ("" where it is not known)."""

    name: str
    type: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Part:
    """Rows under a title; all have the same keys."""

    title: str
    rows: Sequence[Row]
    remark: str = ""


@dataclass(frozen=True)
class Shown:
    """An explained file or folder.

    Attributes:
        what: its kind: record, table, metric rows, snapshot, model folder, run, findings, config, tensors.
        path: as given.
        about: what such a file is, in a sentence or two.
        facts: name → value.
        columns: of a table.
        preview: the first rows of a table, column → value.
        n_rows: of a table; None for anything else.
        parts: further tables.
        provenance: where it comes from: name → value; empty if nothing says so.
    """

    what: str
    path: str
    about: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    columns: Sequence[Described] = field(default_factory=list)
    preview: Sequence[Row] = field(default_factory=list)
    n_rows: int | None = None
    parts: Sequence[Part] = field(default_factory=list)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain types."""
        return asdict(self)


def run_provenance(path: Path) -> dict[str, Any]:
    """What made the run that a file of results belongs to: from run.yaml of a folder above it, if there is one."""
    from internal_physics.ground.strict_yaml import load_yaml  # noqa: PLC0415

    for folder in list(path.resolve().parents)[:5]:
        if (folder / "run.yaml").is_file():
            made = load_yaml(folder / "run.yaml")
            return _made_by(made if isinstance(made, dict) else {}, folder / "run.yaml")
    return {}


def _made_by(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    made = config.get("provenance") or {}
    named = {key: made[key] for key in ("created", "git_revision", "python") if key in made}
    models = {"models": ", ".join(map(str, config.get("models", {}))), "seed": config.get("seed", 0)}
    return {"run": path.name, **named, **models}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn any error of a reader of a damaged file into one that names the file.

    Raises:
        StoreError: if the file is damaged.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise StoreError(
            f"cannot be read ({error})", where=str(path), todo="check whether the file is whole"
        ) from error


def size_text(n_bytes: int) -> str:
    """A size in decimal units: "12 B", "1.5 MB"."""
    size, units = float(n_bytes), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= 1000 and unit != "TB":
        size, unit = size / 1000, next(units)
    return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
