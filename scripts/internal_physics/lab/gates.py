"""Claims of the literature beside what the lab measured, each met or missed; printed and written as a table."""

import importlib
import logging
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from internal_physics.ground.status import OK
from internal_physics.lab.experiments.experiment import Gate
from internal_physics.lab.tables import LAB_GATES
from internal_physics.tables.write import write_tables

LOGGER = logging.getLogger("internal_physics")


def write_gates(experiments: Mapping[str, Mapping[str, Any]], files: Mapping[str, str], outputs: Any) -> None:
    """Ask every experiment for its gates, say which are met, and write the table lab_gates.

    Args:
        experiments: name → module of the gates, names of the tables that it reads, and arms.
        files: table → its Parquet file.
        outputs: lab_gates_csv and lab_gates_parquet.
    """
    gates = []
    for entry in experiments.values():
        tables = {name: pd.read_parquet(files[name]) for name in entry["tables"]}
        gates += importlib.import_module(entry["module"]).gates(tables, entry["arms"])
    for gate in gates:
        LOGGER.info("%s", in_words(gate))
    rows = pd.DataFrame([gate_row(gate) for gate in gates], columns=list(LAB_GATES.columns))
    write_tables([(LAB_GATES.name, rows)], outputs, [LAB_GATES])


def gate_row(gate: Gate) -> dict[str, Any]:
    """The row of a gate; its numbers are missing where nothing was measured."""
    numbers = [value for value in gate.values.values() if math.isfinite(value)]
    return {
        **{name: getattr(gate, name) for name in ("experiment", "claim", "unit", "bar", "is_hard", "verdict")},
        "value": sum(numbers) / len(numbers) if numbers else math.nan,
        "low": min(numbers, default=math.nan),
        "high": max(numbers, default=math.nan),
        "n_seeds": len(numbers),
        "deviation": gate.deviation or None,
        "status": OK if numbers else "not measured",
    }


def in_words(gate: Gate) -> str:
    """A line for the log: verdict, claim, numbers by seed, bar."""
    numbers = ", ".join(f"seed {seed}: {value:.3g}" for seed, value in gate.values.items())
    kind = "" if gate.is_hard else " (reported only)"
    return f"{gate.verdict.upper()}{kind}: {gate.experiment}: {gate.claim} [{numbers or 'no seeds'}; bar {gate.bar}]"
