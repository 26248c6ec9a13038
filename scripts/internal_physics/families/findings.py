"""What a run found: sentences of all families, the first ten, as they stand at the top of the report.

Chance: the p-values of all claims that any family may make in this run are adjusted together by Holm's method, and only
claims below the significance are made. So of runs in which nothing differs, at most 5 % claim anything.
"""

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from internal_physics.families.finding import Finding, PValues
from internal_physics.families.pairs.apart import significance_of
from internal_physics.families.run.flagged import flagged_finding
from internal_physics.statistics.many_tests import adjust_family_wise
from internal_physics.statistics.options import CONFIDENCE_LEVEL
from internal_physics.tables.preview import count_flagged
from internal_physics.tables.read import read_table
from internal_physics.tables.rows import count_rows
from internal_physics.tables.table import Table

MAX_FINDINGS = 10

Modules = Mapping[str, Sequence[str]]
TablesByName = Mapping[str, pd.DataFrame]


def find(
    paths: Mapping[str, str], descriptions: Mapping[str, Table], modules: Modules, confidence_level: float
) -> list[Finding]:
    """The findings of a finished run, at most MAX_FINDINGS: those of `gather`, and what is flagged.

    Args:
        paths: Parquet files of all tables of the run, by name.
        descriptions: of these tables.
        modules: as for `gather`.
        confidence_level: likewise.
    """
    names = {name for needed in modules.values() for name in needed}
    found = gather(modules, {name: read_table(paths[name], descriptions[name]) for name in names}, confidence_level)
    n_rows = {name: count_rows(path) for name, path in paths.items()}
    n_flagged = {name: count_flagged(path, descriptions[name].by_definition) for name, path in paths.items()}
    flagged = flagged_finding(n_rows, n_flagged)
    return [*found, *([flagged] if flagged else [])][:MAX_FINDINGS]


def gather(modules: Modules, tables: TablesByName, confidence_level: float = CONFIDENCE_LEVEL) -> list[Finding]:
    """The findings of a run, in the order of the modules.

    Args:
        modules: dotted name of a family's findings module -> the tables that it reads.
        tables: by name, whole; all that the modules read.
        confidence_level: of the intervals; a claim is made if its adjusted p is below 1 minus it.
    """
    held = claims_that_hold(modules, tables, significance_of(confidence_level))
    made: list[Finding] = []
    for module, names in modules.items():
        made += importlib.import_module(module).findings({name: tables[name] for name in names}, held[module])
    return made


def claims_that_hold(modules: Modules, tables: TablesByName, significance: float) -> dict[str, PValues]:
    """The claims of each module that chance does not explain, with their adjusted p.

    Args:
        modules: as for `gather`.
        tables: likewise.
        significance: largest chance of any false claim among those of all modules.
    """
    claims = {
        (module, claim): p
        for module, names in modules.items()
        for claim, p in importlib.import_module(module).p_values({name: tables[name] for name in names}).items()
    }
    held: dict[str, PValues] = {module: {} for module in modules}
    for (module, claim), p in zip(claims, adjust_family_wise(list(claims.values())), strict=True):
        if p < significance:
            held[module][claim] = float(p)
    return held


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The fields of each finding; None in place of a number that is not finite."""
    return [{key: _plain(value) for key, value in asdict(finding).items()} for finding in findings]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, str):
        return value
    number = float(value)
    return None if not math.isfinite(number) else int(number) if number.is_integer() else number
