"""What a run found: sentences of all families, the first ten, as they stand at the top of the report."""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from internal_physics.families.finding import Finding

MAX_FINDINGS = 10


def gather(modules: Mapping[str, Sequence[str]], tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The findings of a run, in the order of the modules.

    Args:
        modules: dotted name of a family's findings module -> the tables that it reads.
        tables: by name, whole; all that the modules read.

    Returns:
        At most MAX_FINDINGS, each a Finding's fields; None in place of a number that is not finite.
    """
    made: list[Finding] = []
    for module, names in modules.items():
        made += importlib.import_module(module).findings({name: tables[name] for name in names})
    return [{key: _plain(value) for key, value in asdict(finding).items()} for finding in made[:MAX_FINDINGS]]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, str):
        return value
    number = float(value)
    return None if not math.isfinite(number) else int(number) if number.is_integer() else number
