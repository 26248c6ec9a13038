"""Measured numbers for README and docs. They are kept in docs/measured; the pages take them from there."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from internal_physics.docs.markdown import literal, table

_MINUTE = 60  # seconds; and minutes of an hour
_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 1000
_WHOLE_FROM = 10  # from here on without a digit after the point
_GAP = "\u00a0"  # a number and its unit stay on one line


def value(facts: Mapping[str, Any], key: str) -> str:
    """A measured value as text; how it is written follows from the end of its name.

    Args:
        facts: the contents of docs/measured, by file name.
        key: names with dots between them, such as default_run.wall_seconds.

    Raises:
        KeyError: if there is no such value.
    """
    found: Any = facts
    for name in key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            raise KeyError(f"docs/measured has no {key}")
        found = found[name]
    if key.endswith("_seconds"):
        return duration(found)
    if key.endswith("_bytes"):
        return size(found)
    return f"{found:,}" if isinstance(found, int) else str(found)


def duration(seconds: float) -> str:
    """A duration as people write it: 4.2 s, 48 s, 8 min 9 s, 2 min, 2 h 5 min."""
    if seconds < _WHOLE_FROM:
        return f"{seconds:.1f}{_GAP}s"
    minutes, whole_seconds = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else whole_seconds, "s")]
    return " ".join(f"{number}{_GAP}{unit}" for number, unit in parts if number)


def size(n_bytes: float) -> str:
    """A size in decimal units, below 10 with one digit after the point: 1.7 GB, 33 MB."""
    unit = 0
    while n_bytes >= _THOUSAND and unit < len(_UNITS) - 1:
        n_bytes, unit = n_bytes / _THOUSAND, unit + 1
    digits = 1 if n_bytes < _WHOLE_FROM and unit else 0
    return f"{n_bytes:.{digits}f}{_GAP}{_UNITS[unit]}"


def rows(facts: Mapping[str, Any], key: str) -> str:
    """A list of rows (mappings with the same names, or lists with the head first) as a Markdown table."""
    found: Any = facts
    for name in key.split("."):
        found = found[name]
    head, *body = found if isinstance(found[0], Sequence) else [list(found[0]), *(list(row.values()) for row in found)]
    return table(head, body)


def default_run(facts: Mapping[str, Any]) -> str:
    """What the default run took, as a table."""
    rows_of_run = {
        "time, installation not counted": "wall_seconds",
        "jobs": "jobs",
        "most memory of one process": "peak_memory_bytes",
        "`results/` in all": "results_bytes",
        "of which records": "records_bytes",
        "of which the model": "snapshots_bytes",
        "`results/report.html`": "report_bytes",
        "figures": "figures",
    }
    run = facts["default_run"]
    rows_of_table = ((what, value(run, key)) for what, key in rows_of_run.items())
    return f"Measured on {run['machine']} ({run['date']}):\n\n" + table(["what", "measured"], rows_of_table)


def findings(found: Sequence[Mapping[str, Any]]) -> str:
    """The findings of a run (its findings.json) as a numbered list."""
    return "".join(f"{number}. {literal(row['sentence'])}\n" for number, row in enumerate(found, 1))


def makers(facts: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> dict[str, Callable[..., str]]:
    """The makers of pages that show measured values, and what the default run found."""
    return {
        "measured": partial(value, facts),
        "measured-table": partial(rows, facts),
        "default-run": partial(default_run, facts),
        "findings": partial(findings, found),
    }
