"""The page of architectures, from what the sweep found (docs/measured/architectures.json)."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from internal_physics.docs.markdown import code, codes, table

SWEEP = Path("docs") / "measured" / "architectures.json"
# Outcome -> how the page says it, from best to worst.
WORDS = {
    "works": "works",
    "partly": "partly",
    "refused": "refused",
    "wrong": "**wrong**",
    "not run": "not run",
}
_TASKS = ("causal", "masked")
_ERRORS = ("norm_error", "product_error", "batch_error", "readout_error")
_LONGEST_REASON = 160  # characters


def makers(root: Path) -> dict[str, Callable[..., str]]:
    """The makers of the page, for a repository."""
    found = json.loads((root / SWEEP).read_text(encoding="utf-8"))
    return {
        "architectures-version": partial(_version, found["versions"]),
        "architectures-counts": partial(counts, found["classes"]),
        "architectures-errors": partial(errors, found["classes"]),
        "architectures-table": partial(outcomes, found["classes"]),
    }


def counts(classes: Sequence[Mapping[str, Any]]) -> str:
    """How many classes of each task had each outcome."""
    number = Counter((row["task"], row["outcome"]) for row in classes)
    present = [outcome for outcome in WORDS if any(number[task, outcome] for task in _TASKS)]
    rows = [[task, *(number[task, outcome] for outcome in present)] for task in _TASKS]
    return table(["task", *(WORDS[outcome] for outcome in present)], rows)


def errors(classes: Sequence[Mapping[str, Any]]) -> str:
    """The largest error of each kind among the classes that work, wholly or in part, by number format."""
    usable = [row for row in classes if row["outcome"] in ("works", "partly")]
    rows = []
    for dtype in sorted({row["dtype"] for row in usable}, reverse=True):
        of_format = [row for row in usable if row["dtype"] == dtype]
        worst = (max(row.get(error, 0.0) for row in of_format) for error in _ERRORS)
        rows.append([dtype, len(of_format), *(f"{error:.0e}" for error in worst)])
    return table(["compared in", "classes", "norms", "inner products", "batched against alone", "readout"], rows)


def outcomes(classes: Sequence[Mapping[str, Any]], task: str) -> str:
    """One row for each class of a task."""
    rows = [
        [code(row["model_type"]), row["architecture"], WORDS[row["outcome"]], _share(row), _why(row)]
        for row in classes
        if row["task"] == task
    ]
    return table(["`model_type`", "class", "outcome", "gradients", "why"], rows)


def _version(versions: Mapping[str, str], package: str) -> str:
    return versions[package]


def _share(row: Mapping[str, Any]) -> str:
    """Share of the numbers whose gradients are recorded; never rounded up to the whole."""
    if "covered" not in row:
        return ""
    return "100 %" if row["covered"] == 1.0 else f"{min(row['covered'], 0.999):.1%}".replace("%", " %")


def _why(row: Mapping[str, Any]) -> str:
    if row["outcome"] == "partly":
        return f"not recorded: {codes(row['left_out'])}"
    reason = str(row.get("reason", ""))
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
